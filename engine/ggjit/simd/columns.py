"""Sixteen rows side by side: each has a lane for its words, and the items of words come apart."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from .emit import Builder, Value, at, call, each, op, pointer, registers, splatted, tiled
from .parts import joined
from .types import I32, Vec, i32x16, tile

WORDS = tile(i32x16, 4)
_ROW = ir.VectorType(I32, 4)


@op(lambda address, stride: WORDS)
def load_columns(b: Builder, kinds: Any, address: Value, stride: Value) -> Value:
    """Read 16 bytes of each of 16 rows, `stride` bytes apart: register i has word i of all rows.

    Every fourth row is put into one register, so that words only move within quarters.
    """
    rows = [b.load(pointer(b, at(b, address, r, stride), _ROW), align=1) for r in range(16)]
    r0, r1, r2, r3 = (joined(b, rows[r::4]) for r in range(4))
    pairs = [(_zipped(b, r0, r1, i, 1), _zipped(b, r2, r3, i, 1)) for i in (0, 2)]
    words = [_zipped(b, first, second, i, 2) for first, second in pairs for i in (0, 2)]
    return tiled(b, WORDS, words)


def _zipped(b: Builder, first: Value, second: Value, start: int, n: int) -> Value:
    """Take two words of each quarter from `start` on of both, `n` of one and `n` of the other."""
    order = ((0, 16, 1, 17), (0, 1, 16, 17))[n - 1]
    index = [quarter + start + k for quarter in range(0, 16, 4) for k in order]
    return b.shuffle_vector(first, second, ir.Constant(ir.VectorType(I32, 16), index))


@op(lambda kind, value: value)
def items_apart(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Put the first items of every word before the second; items are elements of `kind`."""
    vec: Vec = kinds[0]
    n = vec.n // 16
    index = ir.Constant(ir.VectorType(I32, vec.n), [w * n + i for i in range(n) for w in range(16)])

    def apart(word: Value) -> Value:
        items = b.bitcast(word, vec.ll)
        return b.bitcast(b.shuffle_vector(items, items, index), i32x16.ll)

    return each(b, kinds[1:], [value], apart)


@op(lambda value, mask: value)
def flip(b: Builder, kinds: Any, value: Value, mask: Value) -> Value:
    """Turn over the bits of `mask` in every word."""
    by = splatted(b, i32x16, b.trunc(mask, I32))
    return each(b, kinds[:1], [value], lambda v: b.xor(v, by))


@op(lambda value, mask, one: types.int32)
def carries(b: Builder, kinds: Any, value: Value, mask: Value, one: Value) -> Value:
    """Add `one` to the bits of `mask` in every word; return, of all words, what left the mask.

    A field of ones in the mask, and in `one` its lowest, tell whether some word has all set.
    """
    by, more = (splatted(b, i32x16, b.trunc(v, I32)) for v in (mask, one))
    sums = [b.add(b.and_(v, by), more) for v in registers(b, kinds[0], value)]
    left = sums[0]
    for other in sums[1:]:
        left = b.or_(left, other)
    found = call(b, "llvm.vector.reduce.or.v16i32", I32, [left])
    return b.and_(found, b.not_(b.trunc(mask, I32)))
