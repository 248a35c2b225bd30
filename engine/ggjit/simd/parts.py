"""Parts of logical registers: where a machine's registers are narrower, or neighbours are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from .emit import Builder, Value, call
from .types import I32


def split(b: Builder, value: Value, n_bytes: int) -> list[Value]:
    """Return the runs of `n_bytes` of a register of 64."""
    if n_bytes == 64:
        return [value]
    n = value.type.count * n_bytes // 64
    return [_chosen(b, value, range(k, k + n)) for k in range(0, value.type.count, n)]


def joined(b: Builder, parts: Sequence[Value]) -> Value:
    """Put parts side by side."""
    while len(parts) > 1:
        parts = [_side_by_side(b, *parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return parts[0]


def by_parts(b: Builder, name: str, n_bytes: int, element: Any, *values: Value) -> Value:
    """Call an intrinsic on each run of `n_bytes`; put the results, of `element`, side by side."""
    result = ir.VectorType(element, 8 * n_bytes // element.width)
    runs = zip(*(split(b, v, n_bytes) for v in values), strict=True)
    return joined(b, [call(b, name, result, run) for run in runs])


def added_in_pairs(b: Builder, value: Value) -> Value:
    """Return half as many: the sums of neighbours."""
    n = value.type.count
    return b.add(_chosen(b, value, range(0, n, 2)), _chosen(b, value, range(1, n, 2)))


def _chosen(b: Builder, value: Value, elements: range) -> Value:
    index = ir.Constant(ir.VectorType(I32, len(elements)), list(elements))
    return b.shuffle_vector(value, value, index)


def _side_by_side(b: Builder, first: Value, second: Value) -> Value:
    n = 2 * first.type.count
    return b.shuffle_vector(first, second, ir.Constant(ir.VectorType(I32, n), list(range(n))))
