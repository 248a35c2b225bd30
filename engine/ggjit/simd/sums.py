"""How instruction sets multiply unsigned by signed bytes: one class for each way there is.

A register has 64 bytes: 4 columns of 16 rows; products are summed in fours into 16 int32, the same
integers for any bytes. Weights are below 2**n_bits: the fewer bits, the longer 16 bits hold sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from llvmlite import ir

from . import target
from .emit import Builder, Value, constant
from .parts import added_in_pairs, by_parts
from .types import I16, I32, i32x16, u8x64


class Sums(Protocol):
    """16 sums, of the rows of one token, that grow while code is emitted."""

    def add(self, w: Value, x: Value) -> None:
        """Add the products of a register of weights and one of activations."""

    def total(self) -> Value:
        """Return the sums; nothing can be added after."""


# -- one instruction multiplies, and sums in 32 bits -----------------------------------------------


class Fused:
    """An instruction `name` on registers of `n_bytes`."""

    name: str
    n_bytes: int

    def __init__(self, b: Builder, acc: Value, n_bits: int) -> None:
        self.b, self.acc, self.n_bits = b, acc, n_bits

    def add(self, w: Value, x: Value) -> None:
        self.acc = self.multiplied(self.acc, w, x)

    def multiplied(self, acc: Value, w: Value, x: Value) -> Value:
        return by_parts(self.b, self.name, self.n_bytes, I32, acc, w, x)

    def total(self) -> Value:
        return self.acc


class Vnni512(Fused):
    """AVX-512 VNNI."""

    name, n_bytes = "llvm.x86.avx512.vpdpbusd.512", 64


class Vnni256(Fused):
    """AVX-VNNI."""

    name, n_bytes = "llvm.x86.avx512.vpdpbusd.256", 32


class Usdot(Fused):
    """Arm with i8mm."""

    name, n_bytes = "llvm.aarch64.neon.usdot.v4i32.v16i8", 16


class Sdot(Fused):
    """Arm with dotprod, for signed bytes: 8-bit w * x = (w - 128) * x + 2 * (64 * x)."""

    name, n_bytes = "llvm.aarch64.neon.sdot.v4i32.v16i8", 16

    def __init__(self, b: Builder, acc: Value, n_bits: int) -> None:
        super().__init__(b, acc, n_bits)
        self.rest = constant(i32x16, 0)

    def add(self, w: Value, x: Value) -> None:
        if self.n_bits > 7:
            self.rest = self.multiplied(self.rest, constant(u8x64, 64), x)
            w = self.b.xor(w, constant(u8x64, -128))
        super().add(w, x)

    def total(self) -> Value:
        return self.b.add(self.acc, self.b.shl(self.rest, constant(i32x16, 1)))


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
    n_bytes, bytes_name, words_name = 32, "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"

    def multiplied(self, w: Value, x: Value) -> Value:
        return by_parts(self.b, self.bytes_name, self.n_bytes, I16, w, x)

    def widened(self, words: Value) -> Value:
        ones = ir.Constant(words.type, [1] * 32)
        return by_parts(self.b, self.words_name, self.n_bytes, I32, words, ones)


class Maddubs512(Maddubs256):
    """AVX-512 without VNNI."""

    n_bytes = 64
    bytes_name, words_name = "llvm.x86.avx512.pmaddubs.w.512", "llvm.x86.avx512.pmaddw.d.512"


class Widened(Gathered):
    """Any machine: bytes are widened first, each product has 16 bits of its own."""

    n_products = 1

    def multiplied(self, w: Value, x: Value) -> Value:
        words = ir.VectorType(I16, 64)
        widen = self.b.zext if self.n_bits > 7 else self.b.sext  # Arm multiplies two of a kind
        return self.b.mul(widen(w, words), self.b.sext(x, words))

    def widened(self, words: Value) -> Value:
        pairs = added_in_pairs(self.b, self.b.sext(words, ir.VectorType(I32, 64)))
        return added_in_pairs(self.b, pairs)


class Nibbles:
    """8-bit weights as two of 4 bits: 255 * 128 * 2 does not fit 16 bits, 15 * 128 * 2 * 8 does."""

    def __init__(self, kind: Callable[..., Sums], b: Builder, acc: Value) -> None:
        self.b = b
        self.low, self.high = kind(b, acc, 4), kind(b, constant(i32x16, 0), 4)

    def add(self, w: Value, x: Value) -> None:
        words, low = ir.VectorType(I16, 32), constant(u8x64, 15)  # x86 shifts no bytes
        shifted = self.b.lshr(self.b.bitcast(w, words), ir.Constant(words, [4] * 32))
        self.low.add(self.b.and_(w, low), x)
        self.high.add(self.b.and_(self.b.bitcast(shifted, u8x64.ll), low), x)

    def total(self) -> Value:
        high = self.b.shl(self.high.total(), constant(i32x16, 4))
        return self.b.add(self.low.total(), high)


def split_if_wide(kind: Callable[..., Sums]) -> Callable[..., Sums]:
    """Return `kind` for weights of up to 7 bits, and two of it for 8."""
    return lambda b, acc, n_bits: Nibbles(kind, b, acc) if n_bits > 7 else kind(b, acc, n_bits)


DOTS: dict[str, Callable[[Builder, Value, int], Sums]] = {
    "vnni512": Vnni512,
    "vnni256": Vnni256,
    "maddubs512": split_if_wide(Maddubs512),
    "maddubs256": split_if_wide(Maddubs256),
    "usdot": Usdot,
    "sdot": Sdot,
    "widened": Widened,
}


def sums_of(b: Builder, acc: Value, n_bits: int) -> Sums:
    """Begin sums at `acc`, for weights below 2**n_bits, as this process's target does it."""
    return DOTS[target.current().dot](b, acc, n_bits)
