"""Products of small integers that need 16 bits, as AVX-512 with VNNI has them."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir

from .dot import words_of
from .emit import Builder, Value, at, call, each, op, pointer, registers, splatted, tiled
from .sums import every, pinned
from .types import I16, I32, I64, i32x16, tile, u8x64


@cache
def bytes_times(less: int) -> Any:
    """Return the operation `times` for quants from which `less` is subtracted first."""

    @op(lambda quants, step: tile(u8x64, 2 * quants.n))
    def times(b: Builder, kinds: Any, quants: Value, step: Value) -> Value:
        """Multiply registers of 4 columns of 16 rows by a number a row: (quants - less) * step.

        Products, which 16 bits must hold, are left as 256 * high + low: registers of their low
        bytes, unsigned, and then as many of their high ones, signed.
        """
        low, high = [], []
        step = b.bitcast(b.or_(b.and_(step, every(step, 0xFFFF)), b.shl(step, every(step, 16))),
                         ir.VectorType(I16, 32))  # fmt: skip
        for q in registers(b, kinds[0], quants):
            words = [b.bitcast(w, step.type) for w in words_of(b, q, less)]
            even, odd = (b.mul(w, step) for w in words)
            low.append(_in_turn(b, even, pinned(b, b.shl(odd, every(odd, 8)))))
            high.append(_in_turn(b, pinned(b, b.lshr(even, every(even, 8))), odd))
        done = [*low, *high]
        return tiled(b, tile(u8x64, len(done)), done)

    return times


def _in_turn(b: Builder, first: Value, second: Value) -> Value:
    """Return the low bytes of the words of one and the high bytes of the other."""
    first, second = (b.bitcast(v, u8x64.ll) for v in (first, second))
    order = ir.Constant(ir.VectorType(I32, 64), [i + 64 * (i % 2) for i in range(64)])
    return b.shuffle_vector(first, second, order)


@op(lambda value: value)
def both_places(b: Builder, kinds: Any, value: Value) -> Value:
    """Return for each of -128..127 two words: itself, and 256 times itself above."""
    return each(
        b, kinds, [value],
        lambda v: b.or_(b.and_(v, every(v, 0xFFFF)), b.shl(v, every(v, 24))),
    )  # fmt: skip


@op(lambda acc, words, address: acc)
def add_words(b: Builder, kinds: Any, acc: Value, words: Value, address: Value) -> Value:
    """Add the dot of each row's two words with the two at an address."""
    return _added(b, acc, words, address)


@op(lambda words, address: i32x16)
def dot_words(b: Builder, kinds: Any, words: Value, address: Value) -> Value:
    """Return the sum of each row's dots of a tile's words with those from an address on."""
    sums = [ir.Constant(i32x16.ll, None)] * 2  # taken in turn: each waits for itself
    for i, w in enumerate(registers(b, kinds[0], words)):
        sums[i % 2] = _added(b, sums[i % 2], w, at(b, address, i, I64(4)))
    return b.add(*sums)


def _added(b: Builder, acc: Value, words: Value, address: Value) -> Value:
    pair = splatted(b, i32x16, b.load(pointer(b, address, I32), align=1))
    return call(b, "llvm.x86.avx512.vpdpwssd.512", acc.type, [acc, words, pair])
