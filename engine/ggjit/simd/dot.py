"""The integer dot product of weights in registers with activations in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from llvmlite import ir

from . import target
from .emit import Builder, Value, at, op, pointer, registers, splatted, tiled, widest
from .sums import every, sums_of
from .types import I16, I32, I64, i32x16, tile, u8x64

LOW = 32  # bytes from the high bytes of 32 activations of 16 bits to the low ones


def in_words(wide: bool) -> bool:
    """Tell whether activations are words, in the order that `words_of` gives weights."""
    return wide and target.current().has_words


@cache
def dot_of(n_bits: int, wide: bool = False) -> Any:
    """Return the operation `dot` for weights below 2**n_bits; `wide`: activations of 16 bits."""
    assert 1 <= n_bits <= 8, n_bits

    @op(lambda acc, weights, x, stride: widest(acc))
    def dot(b: Builder, kinds: Any, acc: Value, weights: Value, x: Value, stride: Value) -> Value:
        """Add 16 rows' products with 4 columns per weight register, for each token of `acc`.

        `x` is the address of the first token's bytes; tokens are `stride` bytes apart.
        """
        accs = registers(b, kinds[0], acc)
        columns = registers(b, kinds[1], weights)
        if in_words(wide):
            columns = [half for w in columns for half in words_of(b, w)]
        tokens = [at(b, x, t, stride) for t in range(len(accs))]
        done = products(b, accs, len(columns), lambda j: [columns[j]], tokens, n_bits, wide)
        return tiled(b, kinds[0], done)

    return dot


def products(
    b: Builder, accs: Sequence[Value], n: int, weights: Callable[[int], Sequence[Value]],
    tokens: Sequence[Value], n_bits: int, wide: bool,
) -> list[Value]:  # fmt: skip
    """Return `accs`, for every group of 16 rows one for each token, with products added.

    weights(j), for j below n, returns each group's j-th register. Tokens are addresses.
    """

    def added(accs: Sequence[Value], offset: int, words: bool = False) -> list[Value]:
        sums = [sums_of(b, a, n_bits, words) for a in accs]
        for j in range(n):
            ws = weights(j)
            for t, token in enumerate(tokens):
                x = four(b, token, offset + 4 * j)
                for g, w in enumerate(ws):
                    sums[g * len(tokens) + t].add(w, x)
        return [one.total() for one in sums]

    if not wide or in_words(wide):
        return added(accs, 0, in_words(wide))
    high = added([every(a, 0) for a in accs], 0)
    return added([b.add(a, b.shl(h, every(h, 8))) for a, h in zip(accs, high, strict=True)], LOW)


def words_of(b: Builder, w: Value, less: int = 0) -> list[Value]:
    """Return a register of four columns as two of words: columns 0 and 2, 1 and 3."""
    words = b.bitcast(w, ir.VectorType(I16, w.type.count // 2))
    halves = [b.and_(words, every(words, 255)), b.lshr(words, every(words, 8))]
    return [b.bitcast(b.sub(half, every(half, less)), w.type) for half in halves]


@cache
def as_words(less: int) -> Any:
    """Return the operation that makes registers of bytes twice as many of words, minus `less`."""

    @op(lambda weights: tile(u8x64, 2 * weights.n))
    def words(b: Builder, kinds: Any, weights: Value) -> Value:
        halves = [half for w in registers(b, kinds[0], weights) for half in words_of(b, w, less)]
        return tiled(b, tile(u8x64, len(halves)), halves)

    return words


def four(b: Builder, token: Value, offset: int) -> Value:
    """Return four bytes of a token, repeated for all rows."""
    place = b.gep(pointer(b, token, I32), [I64(offset // 4)])
    return b.bitcast(splatted(b, i32x16, b.load(place, align=1)), u8x64.ll)


@op(lambda acc, weight, x: acc)
def dot_registers(b: Builder, kinds: Any, acc: Value, weight: Value, x: Value) -> Value:
    """Add one weight register's products with each register of `x`: nothing is read.

    Both are bytes, or words where the target multiplies 16-bit activations as such.
    """
    done = []
    for a, one in zip(registers(b, kinds[0], acc), registers(b, kinds[2], x), strict=True):
        sums = sums_of(b, a, 8, in_words(True))
        sums.add(weight, b.bitcast(one, u8x64.ll))
        done.append(sums.total())
    return tiled(b, kinds[0], done)
