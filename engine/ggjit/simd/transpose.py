"""Sixteen registers of sixteen elements, rows and columns exchanged."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .emit import Builder, Value, op, registers, tiled
from .types import I32


@op(lambda value: value)
def transpose(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the tile whose register i has element i of every register.

    Blocks of 1, 2, 4 and 8 elements are exchanged across the diagonal, so that each of four
    rounds is one shuffle a register.
    """
    rows = registers(b, kinds[0], value)
    for step in (1, 2, 4, 8):
        for i in (i for i in range(16) if not i & step):
            first, second = rows[i], rows[i + step]
            low = [k if not k & step else 16 + k - step for k in range(16)]
            high = [k + step if not k & step else 16 + k for k in range(16)]
            rows[i] = b.shuffle_vector(first, second, _index(low))
            rows[i + step] = b.shuffle_vector(first, second, _index(high))
    return tiled(b, kinds[0], rows)


def _index(order: list[int]) -> Value:
    return ir.Constant(ir.VectorType(I32, 16), order)
