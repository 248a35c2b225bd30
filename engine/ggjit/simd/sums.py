"""How instruction sets multiply unsigned by signed bytes: one class for each way there is.

A logical register has 64 bytes: 4 columns of 16 rows; products are summed in fours into int32, the
same integers for any bytes. Classes work on registers as wide as the machine's. Weights are below
2**n_bits: the fewer bits, the longer 16 bits hold sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from llvmlite import ir

from . import target
from .emit import Builder, Value, call
from .parts import added_in_pairs, joined, split
from .types import I16, I32


class Sums(Protocol):
    """Sums of products that grow while code is emitted."""

    def add(self, w: Value, x: Value) -> None:
        """Add the products of a register of weights and one of activations."""

    def total(self) -> Value:
        """Return the sums; nothing can be added after."""


Kind = Callable[[Builder, Value, int], Sums]  # (builder, sums to begin with, n_bits)


# -- one instruction multiplies, and sums in 32 bits -----------------------------------------------


class Fused:
    """The instruction `name`."""

    name: str

    def __init__(self, b: Builder, acc: Value, n_bits: int) -> None:
        self.b, self.acc, self.n_bits = b, acc, n_bits

    def add(self, w: Value, x: Value) -> None:
        self.acc = self.multiplied(self.acc, w, x)

    def multiplied(self, acc: Value, w: Value, x: Value) -> Value:
        return call(self.b, self.name, acc.type, [acc, w, x])

    def total(self) -> Value:
        return self.acc


class Vnni512(Fused):
    """AVX-512 VNNI."""

    name = "llvm.x86.avx512.vpdpbusd.512"


class Vnni256(Fused):
    """AVX-VNNI."""

    name = "llvm.x86.avx512.vpdpbusd.256"


class Usdot(Fused):
    """Arm with i8mm."""

    name = "llvm.aarch64.neon.usdot.v4i32.v16i8"


class Sdot(Fused):
    """Arm with dotprod, for signed bytes: 8-bit w * x = (w - 128) * x + 2 * (64 * x)."""

    name = "llvm.aarch64.neon.sdot.v4i32.v16i8"

    def __init__(self, b: Builder, acc: Value, n_bits: int) -> None:
        super().__init__(b, acc, n_bits)
        self.rest = every(acc, 0)

    def add(self, w: Value, x: Value) -> None:
        if self.n_bits > 7:
            self.rest = self.multiplied(self.rest, every(w, 64), x)
            w = self.b.xor(w, every(w, -128))
        super().add(w, x)

    def total(self) -> Value:
        return self.b.add(self.acc, self.b.shl(self.rest, every(self.rest, 1)))


# -- multiplied and summed in 16 bits for as many registers as surely fit, only then in 32 ---------


class Gathered:
    """`n_products` of a register are in each 16-bit sum."""

    n_products: int

    def __init__(self, b: Builder, acc: Value, n_bits: int) -> None:
        self.b, self.acc, self.n_bits = b, acc, n_bits
        self.n_fit = 0x7FFF // (self.n_products * 128 * (2**n_bits - 1))
        self.words: Value = None
        self.n = 0  # registers in `words`

    def add(self, w: Value, x: Value) -> None:
        if self.n == self.n_fit:
            self.acc, self.n = self.b.add(self.acc, self.widened(self.words)), 0
        words = self.multiplied(w, x)
        self.words = self.b.add(self.words, words) if self.n else words
        self.n += 1

    def total(self) -> Value:
        return self.b.add(self.acc, self.widened(self.words)) if self.n else self.acc

    def multiplied(self, w: Value, x: Value) -> Value:
        """Return a register's products in 16 bits."""
        raise NotImplementedError

    def widened(self, words: Value) -> Value:
        """Return 16-bit sums, those of a row added, in 32 bits."""
        raise NotImplementedError


class Maddubs256(Gathered):
    """AVX2: pairs of products, added in 16 bits with saturation."""

    n_products = 2
    bytes_name, words_name = "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"

    def add(self, w: Value, x: Value) -> None:
        super().add(w, x)
        self.words = pinned(self.b, self.words)

    def multiplied(self, w: Value, x: Value) -> Value:
        return call(self.b, self.bytes_name, ir.VectorType(I16, w.type.count // 2), [w, x])

    def widened(self, words: Value) -> Value:
        return call(self.b, self.words_name, self.acc.type, [words, every(words, 1)])


class Maddubs512(Maddubs256):
    """AVX-512 without VNNI."""

    bytes_name, words_name = "llvm.x86.avx512.pmaddubs.w.512", "llvm.x86.avx512.pmaddw.d.512"


def pinned(b: Builder, value: Value) -> Value:
    """Keep a register, and what it is made of, where it is emitted, by assembly of no instruction.

    LLVM would move products to where their sum is used, sum after sum, add them in a tree, and
    spill weights and parts of sums meanwhile.
    """
    kind = ir.FunctionType(value.type, [value.type])
    return b.call(ir.InlineAsm(kind, "", "=v,0", side_effect=True), [value])


class Words256:
    """AVX2: pairs of words, added in 32 bits: 16-bit activations in half the multiplications."""

    name = "llvm.x86.avx2.pmadd.wd"

    def __init__(self, b: Builder, acc: Value, n_bits: int) -> None:
        self.b, self.acc = b, acc

    def add(self, w: Value, x: Value) -> None:
        words = ir.VectorType(I16, w.type.count // 2)
        pairs = [self.b.bitcast(v, words) for v in (w, x)]
        sums = call(self.b, self.name, self.acc.type, pairs)
        self.acc = pinned(self.b, self.b.add(self.acc, sums))

    def total(self) -> Value:
        return self.acc


class Words512(Words256):
    """AVX-512 without VNNI."""

    name = "llvm.x86.avx512.pmaddw.d.512"


class Widened(Gathered):
    """Any machine: bytes are widened first, each product has 16 bits of its own."""

    n_products = 1

    def multiplied(self, w: Value, x: Value) -> Value:
        words = ir.VectorType(I16, w.type.count)
        widen = self.b.zext if self.n_bits > 7 else self.b.sext  # Arm multiplies two of a kind
        return self.b.mul(widen(w, words), self.b.sext(x, words))

    def widened(self, words: Value) -> Value:
        pairs = added_in_pairs(self.b, self.b.sext(words, ir.VectorType(I32, words.type.count)))
        return added_in_pairs(self.b, pairs)


class Nibbles:
    """8-bit weights as two of 4 bits: 255 * 128 * 2 does not fit 16 bits, 15 * 128 * 2 * 8 does."""

    def __init__(self, kind: Kind, b: Builder, acc: Value) -> None:
        self.b = b
        self.low, self.high = kind(b, acc, 4), kind(b, every(acc, 0), 4)

    def add(self, w: Value, x: Value) -> None:
        pairs = self.b.bitcast(w, ir.VectorType(I16, w.type.count // 2))  # x86 shifts no bytes
        shifted = self.b.bitcast(self.b.lshr(pairs, every(pairs, 4)), w.type)
        self.low.add(self.b.and_(w, every(w, 15)), x)
        self.high.add(self.b.and_(shifted, every(w, 15)), x)

    def total(self) -> Value:
        high = self.high.total()
        return self.b.add(self.low.total(), self.b.shl(high, every(high, 4)))


def split_if_wide(kind: Kind) -> Kind:
    """Return `kind` for weights of up to 7 bits, and two of it for 8."""
    return lambda b, acc, n_bits: Nibbles(kind, b, acc) if n_bits > 7 else kind(b, acc, n_bits)


def every(like: Value, value: int) -> Value:
    """Return a constant register with the elements of another."""
    return ir.Constant(like.type, [value] * like.type.count)


# -- what a target has -----------------------------------------------------------------------------

DOTS: dict[str, tuple[int, Kind]] = {  # bytes of a register, and what works on it
    "vnni512": (64, Vnni512),
    "vnni256": (32, Vnni256),
    "maddubs512": (64, split_if_wide(Maddubs512)),
    "maddubs256": (32, split_if_wide(Maddubs256)),
    "usdot": (16, Usdot),
    "sdot": (16, Sdot),
    "widened": (16, Widened),
}

WORDS: dict[int, Kind] = {32: Words256, 64: Words512}  # of targets that have words


class Parts:
    """A logical register as registers of `n_bytes`."""

    def __init__(self, n_bytes: int, kind: Kind, b: Builder, acc: Value, n_bits: int) -> None:
        self.n_bytes, self.b = n_bytes, b
        self.parts = [kind(b, part, n_bits) for part in split(b, acc, n_bytes)]

    def add(self, w: Value, x: Value) -> None:
        values = (split(self.b, v, self.n_bytes) for v in (w, x))
        for part, *both in zip(self.parts, *values, strict=True):
            part.add(*both)

    def total(self) -> Value:
        return joined(self.b, [part.total() for part in self.parts])


def sums_of(b: Builder, acc: Value, n_bits: int, words: bool = False) -> Sums:
    """Begin sums of 16 rows at `acc`, as this process's target does it; `words`: of pairs."""
    n_bytes, kind = DOTS[target.current().dot]
    return Parts(n_bytes, WORDS[n_bytes] if words else kind, b, acc, n_bits)
