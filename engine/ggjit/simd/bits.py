"""Bits of bytes and integers: what small weights are taken apart and put together with.

Machines shift no single bytes; pairs of them are shifted, and what crosses is masked away.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .emit import Builder, Value, call, constant, each, op, splatted, tiled
from .types import I32, I64, Vec, i32x16, tile, u8x64

_PAIRS = Vec("i16", 32)


@op(lambda value: value)
def low_nibbles(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the low four bits of every byte."""
    return each(b, kinds, [value], lambda v: b.and_(v, constant(u8x64, 15)))


@op(lambda value: value)
def high_nibbles(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the high four bits of every byte."""
    mask = constant(u8x64, 15)
    return each(b, kinds, [value], lambda v: b.and_(_shifted(b, b.lshr, v, I64(4)), mask))


@op(lambda value, low, n: value)
def bit_field(b: Builder, kinds: Any, value: Value, low: Value, n: Value) -> Value:
    """Return `n` bits of every byte or int32, from bit `low` up."""
    vec = getattr(kinds[0], "vec", kinds[0])
    part = vec.ll.element
    mask = b.sub(b.shl(part(1), b.trunc(n, part)), part(1))
    every = splatted(b, vec, mask)
    return each(b, kinds[:1], [value], lambda v: b.and_(_shifted(b, b.lshr, v, low), every))


@op(lambda low, high, n: low)
def put_above(b: Builder, kinds: Any, low: Value, high: Value, n: Value) -> Value:
    """Put `high` above the low `n` bits of every byte or int32, where there must be room."""
    return each(b, kinds[:2], [low, high], lambda v, h: b.or_(v, _shifted(b, b.shl, h, n)))


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


def _shifted(b: Builder, shift: Any, v: Value, n: Value) -> Value:
    vec = i32x16 if v.type == i32x16.ll else _PAIRS
    by = splatted(b, vec, b.trunc(n, vec.ll.element))
    return b.bitcast(shift(b.bitcast(v, vec.ll), by), v.type)
