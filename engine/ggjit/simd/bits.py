"""Bits of bytes and integers: what small weights are taken apart and put together with.

Machines shift no single bytes; pairs of them are shifted, and what crosses is masked away.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .emit import Builder, Value, call, constant, each, op, splatted, tiled, widest
from .types import I8, I16, I32, Vec, i32x16, tile, u8x64

_PAIRS = Vec("i16", 32)


@op(lambda x, y: widest(x, y))
def bit_and(b: Builder, kinds: Any, x: Value, y: Value) -> Value:
    """Return the bits that are set in both."""
    return each(b, kinds, [x, y], b.and_)


@op(lambda x, y: widest(x, y))
def bit_or(b: Builder, kinds: Any, x: Value, y: Value) -> Value:
    """Return the bits that are set in either."""
    return each(b, kinds, [x, y], b.or_)


@op(lambda value: value)
def low_nibbles(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the low four bits of every byte."""
    return each(b, kinds, [value], lambda v: b.and_(v, constant(u8x64, 15)))


@op(lambda value: value)
def high_nibbles(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the high four bits of every byte."""
    by, mask = constant(_PAIRS, 4), constant(u8x64, 15)
    return each(b, kinds, [value], lambda v: b.and_(_shifted(b, b.lshr, v, by), mask))


@op(lambda value, low, n: value)
def byte_bits(b: Builder, kinds: Any, value: Value, low: Value, n: Value) -> Value:
    """Return `n` bits of every byte, from bit `low` up."""
    by = splatted(b, _PAIRS, b.trunc(low, I16))
    one = I8(1)
    mask = splatted(b, u8x64, b.sub(b.shl(one, b.trunc(n, I8)), one))
    return each(b, kinds[:1], [value], lambda v: b.and_(_shifted(b, b.lshr, v, by), mask))


@op(lambda low, high, n: low)
def put_above(b: Builder, kinds: Any, low: Value, high: Value, n: Value) -> Value:
    """Put `high` above the low `n` bits of every byte, where there must be room."""
    by = splatted(b, _PAIRS, b.trunc(n, I16))
    return each(b, kinds[:2], [low, high], lambda v, h: b.or_(v, _shifted(b, b.shl, h, by)))


@op(lambda words: tile(u8x64, 8))
def spread_bits(b: Builder, kinds: Any, words: Value) -> Value:
    """Return 16 where a bit of an int32 is set: bit 4i + j in byte j of its place in register i."""
    odd = b.bitcast(words, u8x64.ll)
    even = b.bitcast(b.shl(words, constant(i32x16, 4)), u8x64.ll)
    alone = ir.Constant(u8x64.ll, [16, 32, 64, 128] * 16)
    made = []
    for i in range(8):
        index = [4 * (place // 4) + i // 2 for place in range(64)]
        source = odd if i % 2 else even
        copies = b.shuffle_vector(source, source, ir.Constant(ir.VectorType(I32, 64), index))
        bit = b.and_(copies, alone)
        made.append(call(b, "llvm.umin.v64i8", u8x64.ll, [bit, constant(u8x64, 16)]))
    return tiled(b, tile(u8x64, 8), made)


def _shifted(b: Builder, shift: Any, v: Value, by: Value) -> Value:
    return b.bitcast(shift(b.bitcast(v, _PAIRS.ll), by), u8x64.ll)
