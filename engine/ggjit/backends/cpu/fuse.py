"""Operations as the kernels have them.

A residual is added by the matrix product or the norm that makes the other part; transposed weights
are laid out anew, as float32.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from ...formats import find
from ...gguf import GGMLType, Tensor
from ...graph import Add, Buffer, HeadLinear, Linear, Op, RMSNorm


def fuse_residuals(ops: list[Op]) -> list[Op]:
    """Take an Add into the product or norm before it, where nothing else reads what that makes."""
    uses = Counter(b for op in ops for b in op.inputs())
    made = {op.out: op for op in ops if _adds(op) and uses[op.out] == 1}
    fused: set[Buffer] = set()
    done: list[Op] = []
    for op in ops:
        if isinstance(op, Add) and (pair := _part_and_rest(op, made, fused)):
            part, rest = pair
            fused.add(part.out)
            done.append(replace(part, out=op.out, residual=rest))
        else:
            done.append(op)
    return [op for op in done if op.out not in fused]


def _adds(op: Op) -> bool:
    """Tell whether an operation can add a residual: products and norms of whole rows can."""
    return isinstance(op, Linear) or (isinstance(op, RMSNorm) and op.n_heads == 1)


def _part_and_rest(
    op: Add, made: dict[Buffer, Any], fused: set[Buffer]
) -> tuple[Any, Buffer] | None:
    """Tell which side of an Add it can be taken into, if one is, and the other side."""
    for side, rest in ((op.b, op.a), (op.a, op.b)):
        part = made.get(side)
        if part and side not in fused and part.residual is None and side != rest:
            return part, rest
    return None


def transpose_weights(ops: list[Op]) -> list[Op]:
    """Turn products with transposed matrices into those with the matrices they stand for."""
    return [
        replace(op, weight=transposed(op.weight), transposed=False)
        if isinstance(op, HeadLinear) and op.transposed
        else op
        for op in ops
    ]


def transposed(tensor: Tensor) -> Tensor:
    """Return a stack of matrices, each transposed, as float32."""
    n, n_rows, n_columns = tensor.shape
    values = find(tensor).decode_rows(tensor.data.reshape(-1), n_columns)
    turned = np.ascontiguousarray(values.reshape(tensor.shape).swapaxes(1, 2))
    return replace(
        tensor, name=f"{tensor.name}.T", type=GGMLType.F32, shape=(n, n_columns, n_rows),
        data=turned.reshape(-1).view(np.uint8),
    )  # fmt: skip
