"""The integer dot product: 64 unsigned by 64 signed bytes, summed in fours into 16 int32.

One emitter per instruction set; all give the same integers for any bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from . import target
from .emit import Builder, Value, at, call, op, pointer, registers, splatted, tiled, widest
from .types import I8, I16, I32, I64, i32x16, u8x64


def dot_vnni(b: Builder, acc: Value, w: Value, x: Value) -> Value:
    """AVX-512 VNNI: one instruction."""
    return call(b, "llvm.x86.avx512.vpdpbusd.512", i32x16.ll, [acc, w, x])


def dot_avx2(b: Builder, acc: Value, w: Value, x: Value) -> Value:
    """AVX2: two 256-bit halves."""
    halves = [_dot_half(b, part(b, w, k, 32), part(b, x, k, 32)) for k in (0, 1)]
    index = ir.Constant(ir.VectorType(I32, 16), list(range(16)))
    return b.add(acc, b.shuffle_vector(halves[0], halves[1], index))


def _dot_half(b: Builder, w: Value, x: Value) -> Value:
    """vpmaddubsw saturates beyond 16 bits, so weights go in as w & 127 and w & 128.

    The sums of two products stay within 2 x 127 x 128 and from -2 x 128 x 128 to 2 x 128 x 127.
    """
    bytes32, words, ints = (ir.VectorType(t, n) for t, n in ((I8, 32), (I16, 16), (I32, 8)))
    one = ir.Constant(words, [1] * 16)

    def fours(bits: int) -> Value:
        u = b.and_(w, ir.Constant(bytes32, [bits] * 32))
        pairs = call(b, "llvm.x86.avx2.pmadd.ub.sw", words, [u, x])
        return call(b, "llvm.x86.avx2.pmadd.wd", ints, [pairs, one])

    return b.add(fours(127), fours(-128))


def dot_generic(b: Builder, acc: Value, w: Value, x: Value) -> Value:
    """Any machine: widen, multiply, add every fourth."""
    wide = ir.VectorType(I32, 64)
    product = b.mul(b.zext(w, wide), b.sext(x, wide))
    for i in range(4):
        index = ir.Constant(ir.VectorType(I32, 16), list(range(i, 64, 4)))
        acc = b.add(acc, b.shuffle_vector(product, product, index))
    return acc


def part(b: Builder, value: Value, k: int, n: int) -> Value:
    """Return the k-th run of n elements."""
    index = ir.Constant(ir.VectorType(I32, n), list(range(n * k, n * k + n)))
    return b.shuffle_vector(value, value, index)


DOTS: dict[str, Callable[..., Value]] = {
    "vnni": dot_vnni,
    "avx2": dot_avx2,
    "generic": dot_generic,
}


@op(lambda acc, weights, x, stride: widest(acc))
def dot(b: Builder, kinds: Any, acc: Value, weights: Value, x: Value, stride: Value) -> Value:
    """Add 16 rows' products with 4 columns per weight register, for each register (token) of `acc`.

    `x` is the address of the first token's bytes; tokens are `stride` bytes apart.
    """
    emit = DOTS[target.current().dot]
    sums = registers(b, kinds[0], acc)
    rows = [pointer(b, at(b, x, t, stride), I32) for t in range(len(sums))]
    for j, w in enumerate(registers(b, kinds[1], weights)):
        for t, row in enumerate(rows):
            four = splatted(b, i32x16, b.load(b.gep(row, [I64(j)]), align=1))
            sums[t] = emit(b, sums[t], w, b.bitcast(four, u8x64.ll))
    return tiled(b, kinds[0], sums)
