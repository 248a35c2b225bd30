"""The integer dot product of weights in registers with activations in memory."""

from __future__ import annotations

from functools import cache
from typing import Any

from .emit import Builder, Value, at, op, pointer, registers, splatted, tiled, widest
from .sums import sums_of
from .types import I32, I64, i32x16, u8x64


@cache
def dot_of(n_bits: int) -> Any:
    """Return the operation `dot` for weights below 2**n_bits."""
    assert 1 <= n_bits <= 8, n_bits

    @op(lambda acc, weights, x, stride: widest(acc))
    def dot(b: Builder, kinds: Any, acc: Value, weights: Value, x: Value, stride: Value) -> Value:
        """Add 16 rows' products with 4 columns per weight register, for each token of `acc`.

        `x` is the address of the first token's bytes; tokens are `stride` bytes apart.
        """
        sums = [sums_of(b, a, n_bits) for a in registers(b, kinds[0], acc)]
        rows = [pointer(b, at(b, x, t, stride), I32) for t in range(len(sums))]
        for j, w in enumerate(registers(b, kinds[1], weights)):
            for one, row in zip(sums, rows, strict=True):
                four = splatted(b, i32x16, b.load(b.gep(row, [I64(j)]), align=1))
                one.add(w, b.bitcast(four, u8x64.ll))
        return tiled(b, kinds[0], [one.total() for one in sums])

    return dot


dot = dot_of(8)


@op(lambda acc, weight, x: acc)
def dot_registers(b: Builder, kinds: Any, acc: Value, weight: Value, x: Value) -> Value:
    """Add one weight register's products with each register of `x`: nothing is read."""
    done = []
    for a, one in zip(registers(b, kinds[0], acc), registers(b, kinds[2], x), strict=True):
        sums = sums_of(b, a, 8)
        sums.add(weight, b.bitcast(one, u8x64.ll))
        done.append(sums.total())
    return tiled(b, kinds[0], done)
