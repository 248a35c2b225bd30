"""Fewer, larger operations: a residual is added by the matrix product that makes the other part."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ...graph import Add, Buffer, Linear, Op


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
