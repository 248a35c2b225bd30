"""Operations as the kernels have them.

A residual is added by the matrix product that makes the other part; transposed weights are laid out
anew, as float32.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from ...formats import find
from ...gguf import GGMLType, Tensor
from ...graph import Add, Buffer, HeadLinear, Linear, Op


def fuse_residuals(ops: list[Op]) -> list[Op]:
    """Turn Linear then Add into one Linear with a residual where nothing else reads the product."""
    uses = Counter(b for op in ops for b in op.inputs())
    products = {op.out: op for op in ops if isinstance(op, Linear) and uses[op.out] == 1}
    fused: dict[Buffer, Linear] = {}
    done: list[Op] = []
    for op in ops:
        if isinstance(op, Add) and (pair := _product_and_rest(op, products, fused)):
            product, rest = pair
            fused[product.out] = product
            done.append(replace(product, out=op.out, residual=rest))
        else:
            done.append(op)
    return [op for op in done if op.out not in fused]


def _product_and_rest(
    op: Add, products: dict[Buffer, Linear], fused: dict[Buffer, Linear]
) -> tuple[Linear, Buffer] | None:
    """Tell which side of an Add is a product to take it into, if one is."""
    for side, rest in ((op.b, op.a), (op.a, op.b)):
        product = products.get(side)
        if product and side not in fused and product.residual is None and side != rest:
            return product, rest
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
