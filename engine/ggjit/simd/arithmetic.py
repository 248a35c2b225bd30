"""Arithmetic and conversions, register by register; `Vec` and `Tile` alike.

A `Vec` beside a `Tile` meets every register of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from .emit import (
    Builder,
    Value,
    call,
    constant,
    each,
    filled,
    like,
    op,
    registers,
    splatted,
    tiled,
    widest,
)
from .halves import narrowed, widened
from .types import I32, f32x16, i32x16, tile


@op(lambda kind: kind)
def zeros(b: Builder, kinds: Any, _: Value) -> Value:
    """Return all zeros."""
    return ir.Constant(kinds[0].ll, None)


@op(lambda kind, scalar: kind)
def splat(b: Builder, kinds: Any, _: Value, scalar: Value) -> Value:
    """Fill a vector with one number, made what its elements are."""
    return filled(b, kinds[0], scalar)


@op(lambda kind, value: like(value, kind))
def bits(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Take the same bits as another vector type."""
    return each(b, kinds[1:], [value], lambda v: b.bitcast(v, kinds[0].ll))


@op(lambda value: like(value, f32x16))
def to_f32(b: Builder, kinds: Any, value: Value) -> Value:
    """Convert signed integers, float16 or bfloat16 to float32, exactly where float32 can."""
    vec = getattr(kinds[0], "vec", kinds[0])

    def convert(v: Value) -> Value:
        if vec.element in ("i8", "i32"):
            return b.sitofp(v, f32x16.ll)
        if vec.element == "f16":
            return widened(b, v)
        wide = b.shl(b.zext(v, i32x16.ll), constant(i32x16, 16))
        return b.bitcast(wide, f32x16.ll)

    return each(b, kinds, [value], convert)


@op(lambda value: like(value, i32x16))
def to_i32(b: Builder, kinds: Any, value: Value) -> Value:
    """Widen small integers to int32; cut float32 off towards zero."""
    element = getattr(kinds[0], "vec", kinds[0]).element
    convert = {"i8": b.sext, "f32": b.fptosi}.get(element, b.zext)
    return each(b, kinds, [value], lambda v: convert(v, i32x16.ll))


@op(lambda kind, value: kind)
def round_to(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Round float32 to a narrower float, to whole numbers or to int32; ties go to even."""
    element = kinds[0].element
    if element == "f16":
        return narrowed(b, value)
    if element == "bf16":
        return b.trunc(_upper_half(b, b.bitcast(value, i32x16.ll)), kinds[0].ll)
    whole = call(b, "llvm.rint.v16f32", f32x16.ll, [value])
    return whole if element == "f32" else b.fptosi(whole, kinds[0].ll)


def _upper_half(b: Builder, word: Value) -> Value:
    """Return the upper 16 bits, rounded; of a NaN, a NaN."""
    odd = b.and_(b.lshr(word, constant(i32x16, 16)), constant(i32x16, 1))
    rounded = b.add(b.add(word, constant(i32x16, 0x7FFF)), odd)
    size = b.and_(word, constant(i32x16, 0x7FFFFFFF))
    is_nan = b.icmp_unsigned(">", size, constant(i32x16, 0x7F800000))
    quiet = b.or_(word, constant(i32x16, 0x400000))
    return b.lshr(b.select(is_nan, quiet, rounded), constant(i32x16, 16))


@op(lambda a, b: tile(getattr(a, "vec", a), getattr(a, "n", 1) + getattr(b, "n", 1)))
def join(b: Builder, kinds: Any, first: Value, second: Value) -> Value:
    """Put the registers of two tiles into one."""
    values = registers(b, kinds[0], first) + registers(b, kinds[1], second)
    return tiled(b, tile(kinds[0].vec, len(values)), values)


@op(lambda value: tile(value.vec, value.n // 2))
def first_half(b: Builder, kinds: Any, value: Value) -> Value:
    """Take the first half of a tile's registers."""
    n = kinds[0].n // 2
    return tiled(b, tile(kinds[0].vec, n), registers(b, kinds[0], value)[:n])


@op(lambda value: tile(value.vec, value.n // 2))
def second_half(b: Builder, kinds: Any, value: Value) -> Value:
    """Take the second half of a tile's registers."""
    n = kinds[0].n // 2
    return tiled(b, tile(kinds[0].vec, n), registers(b, kinds[0], value)[n:])


# -- arithmetic -----------------------------------------------------------------------------------


def _arithmetic(name: str, floating: str, integer: str, doc: str) -> Any:
    def emit(b: Builder, kinds: Any, x: Value, y: Value) -> Value:
        vec = getattr(kinds[0], "vec", kinds[0])
        return each(b, kinds, [x, y], getattr(b, floating if vec.element == "f32" else integer))

    emit.__name__, emit.__doc__ = name, doc
    return op(lambda x, y: widest(x, y))(emit)


add = _arithmetic("add", "fadd", "add", "Add.")
sub = _arithmetic("sub", "fsub", "sub", "Subtract.")
mul = _arithmetic("mul", "fmul", "mul", "Multiply.")
div = _arithmetic("div", "fdiv", "sdiv", "Divide.")


@op(lambda x, y, z: widest(x, y, z))
def fma(b: Builder, kinds: Any, x: Value, y: Value, z: Value) -> Value:
    """Return x * y + z, rounded once."""
    one = lambda *v: call(b, "llvm.fma.v16f32", f32x16.ll, v)  # noqa: E731
    return each(b, kinds, [x, y, z], one)


@op(lambda x, y: widest(x, y))
def maximum(b: Builder, kinds: Any, x: Value, y: Value) -> Value:
    """Return the larger of each pair (of a NaN and a number: y)."""
    larger = lambda p, q: b.select(_ordered(b, ">", p, q), p, q)  # noqa: E731
    return each(b, kinds, [x, y], larger)


@op(lambda x, y: widest(x, y))
def minimum(b: Builder, kinds: Any, x: Value, y: Value) -> Value:
    """Return the smaller of each pair (of a NaN and a number: y)."""
    smaller = lambda p, q: b.select(_ordered(b, "<", p, q), p, q)  # noqa: E731
    return each(b, kinds, [x, y], smaller)


def _ordered(b: Builder, sign: str, p: Value, q: Value) -> Value:
    """Compare floats or signed integers."""
    return (b.fcmp_ordered if p.type == f32x16.ll else b.icmp_signed)(sign, p, q)


@op(lambda x: x)
def absolute(b: Builder, kinds: Any, x: Value) -> Value:
    """Drop the sign."""
    return each(b, kinds, [x], lambda v: call(b, "llvm.fabs.v16f32", f32x16.ll, [v]))


@op(lambda x: x)
def root(b: Builder, kinds: Any, x: Value) -> Value:
    """Return the square root."""
    return each(b, kinds, [x], lambda v: call(b, "llvm.sqrt.v16f32", f32x16.ll, [v]))


@op(lambda x, bound, below, otherwise: widest(below, otherwise))
def where_less(b: Builder, kinds: Any, x: Value, bound: Value, below: Value, other: Value) -> Value:
    """Choose `below` where x < bound, else (and for NaN) `otherwise`."""
    choose = lambda v, u, p, q: b.select(_ordered(b, "<", v, u), p, q)  # noqa: E731
    return each(b, kinds, [x, bound, below, other], choose)


@op(lambda value, n: value)
def shift_left(b: Builder, kinds: Any, value: Value, n: Value) -> Value:
    """Shift every int32 left by `n` bits."""
    by = splatted(b, i32x16, b.trunc(n, I32) if n.type != I32 else n)
    return each(b, kinds[:1], [value], lambda v: b.shl(v, by))


@op(lambda value, n: value)
def shift_right(b: Builder, kinds: Any, value: Value, n: Value) -> Value:
    """Shift every int32 right by `n` bits, keeping its sign."""
    by = splatted(b, i32x16, b.trunc(n, I32) if n.type != I32 else n)
    return each(b, kinds[:1], [value], lambda v: b.ashr(v, by))


# -- reductions: fixed order, so the result never depends on the instruction set -------------------


def _halving(name: str, doc: str, combine: Callable[[Builder, Value, Value], Value]) -> Any:
    def emit(b: Builder, kinds: Any, value: Value) -> Value:
        n = 16
        while n > 1:
            n //= 2
            part = lambda start, n=n: ir.Constant(  # noqa: E731
                ir.VectorType(I32, n), list(range(start, start + n))
            )
            value = combine(
                b, b.shuffle_vector(value, value, part(0)), b.shuffle_vector(value, value, part(n))
            )
        return b.extract_element(value, I32(0))

    emit.__name__, emit.__doc__ = name, doc
    return op(lambda value: types.float32 if value.element == "f32" else types.int32)(emit)


sum_all = _halving(
    "sum_all",
    "Sum the elements, halving the vector each step.",
    lambda b, x, y: b.fadd(x, y) if x.type.element == ir.FloatType() else b.add(x, y),
)
max_all = _halving(
    "max_all",
    "Return the largest element.",
    lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y),
)
