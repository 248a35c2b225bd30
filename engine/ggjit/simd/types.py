"""Vector values for Numba: `Vec` is one logical register, `Tile` a few, `Grid` rows of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

I8, I16, I32, I64 = (ir.IntType(n) for n in (8, 16, 32, 64))
ELEMENTS = {
    "u8": I8,
    "i8": I8,
    "i16": I16,
    "u16": I16,
    "i32": I32,
    "f16": ir.HalfType(),
    "bf16": I16,
    "f32": ir.FloatType(),
}


class Vec(types.Type):
    """`n` elements that live in registers."""

    def __init__(self, element: str, n: int) -> None:
        self.element, self.n = element, n
        self.ll = ir.VectorType(ELEMENTS[element], n)
        super().__init__(name=f"{element}x{n}")


class Tile(types.Type):
    """`n` vectors of one type, addressed by number while LLVM code is emitted."""

    def __init__(self, vec: Vec, n: int, shape: str = "") -> None:
        self.vec, self.n = vec, n
        self.ll = ir.ArrayType(vec.ll, n)
        super().__init__(name=f"{vec.name}[{shape or n}]")

    def of(self, vec: Vec) -> Tile:
        """Return the type of as many registers of another kind."""
        return tile(vec, self.n)


class Grid(Tile):
    """Registers for groups of rows by tokens: number g * n_tokens + t is group g's for token t."""

    def __init__(self, vec: Vec, n_groups: int, n_tokens: int) -> None:
        self.n_groups, self.n_tokens = n_groups, n_tokens
        super().__init__(vec, n_groups * n_tokens, f"{n_groups}x{n_tokens}")

    def of(self, vec: Vec) -> Grid:
        return grid(vec, self.n_groups, self.n_tokens)


@register_model(Vec)
@register_model(Tile)
@register_model(Grid)
class _RegisterModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, fe_type.ll)


@cache
def tile(vec: Vec, n: int) -> Tile:
    """Return the type of `n` registers of type `vec`."""
    return Tile(vec, n)


@cache
def grid(vec: Vec, n_groups: int, n_tokens: int) -> Grid:
    """Return the type of registers for `n_groups` of rows by `n_tokens`."""
    return Grid(vec, n_groups, n_tokens)


u8x64 = Vec("u8", 64)
i32x16 = Vec("i32", 16)
f32x16 = Vec("f32", 16)
f16x16 = Vec("f16", 16)
bf16x16 = Vec("bf16", 16)
u16x16 = Vec("u16", 16)
u16x32 = Vec("u16", 32)
u8x16 = Vec("u8", 16)
i8x16 = Vec("i8", 16)
