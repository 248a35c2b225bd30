"""Operations on vectors and tiles: each is one machine idea, none hides an algorithm.

Addresses are plain integers. Arithmetic takes `Vec` and `Tile` alike; a `Vec` beside a `Tile`
meets every register of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .types import I8, I16, I32, I64, Tile, Vec, f32x16, i32x16, tile, u8x64

Builder = Any
Value = Any


def op(typing: Callable[..., Any], literal: bool = False) -> Callable[[Callable[..., Value]], Any]:
    """Make an intrinsic of an emitter `f(builder, types, *values)`; `typing` gives its result type.

    Type arguments (as in `load(f32x16, address)`) reach the emitter as None; with `literal` the
    types of integer literals tell their values.
    """

    def decorate(emit: Callable[..., Value]) -> Any:
        names = ", ".join(inspect.signature(typing).parameters)

        def impl(*argtypes: Any) -> Any:
            given = [getattr(t, "instance_type", t) for t in argtypes]
            result = typing(*given)

            def codegen(context: Any, builder: Builder, signature: Any, args: Sequence[Value]) -> Value:
                value = emit(builder, given, *args)
                return context.get_dummy_value() if result is types.void else value

            return result(*argtypes), codegen

        scope: dict[str, Any] = {"impl": impl}
        exec(f"def {emit.__name__}(context, {names}): return impl({names})", scope)
        function = scope[emit.__name__]
        function.__doc__ = emit.__doc__
        return intrinsic(prefer_literal=True)(function) if literal else intrinsic(function)

    return decorate


def call(b: Builder, name: str, result: Any, args: Sequence[Value]) -> Value:
    """Call an LLVM intrinsic by name."""
    kind = ir.FunctionType(result, [a.type for a in args])
    return b.call(cgutils.get_or_insert_function(b.module, kind, name), args)


def constant(vec: Vec, value: float) -> Value:
    return ir.Constant(vec.ll, [value] * vec.n)


def splatted(b: Builder, vec: Vec, scalar: Value) -> Value:
    empty = ir.Constant(vec.ll, ir.Undefined)
    one = b.insert_element(empty, scalar, I32(0))
    return b.shuffle_vector(one, empty, ir.Constant(ir.VectorType(I32, vec.n), [0] * vec.n))


def pointer(b: Builder, address: Value, to: Any) -> Value:
    return b.inttoptr(address, to.as_pointer())


def at(b: Builder, address: Value, i: int, stride: Value) -> Value:
    return b.add(address, b.mul(stride, I64(i))) if i else address


def registers(b: Builder, kind: Any, value: Value) -> list[Value]:
    """Return the vectors of a tile, or the one vector."""
    return [b.extract_value(value, i) for i in range(kind.n)] if isinstance(kind, Tile) else [value]


def tiled(b: Builder, kind: Tile, values: Sequence[Value]) -> Value:
    out = ir.Constant(kind.ll, ir.Undefined)
    for i, value in enumerate(values):
        out = b.insert_value(out, value, i)
    return out


def each(b: Builder, kinds: Sequence[Any], values: Sequence[Value], f: Callable[..., Value]) -> Value:
    """Apply `f` register by register; vectors are repeated beside tiles."""
    n = max((k.n for k in kinds if isinstance(k, Tile)), default=0)
    parts = [registers(b, k, v) for k, v in zip(kinds, values, strict=True)]
    if not n:
        return f(*(p[0] for p in parts))
    done = [f(*(p[i] if len(p) > 1 else p[0] for p in parts)) for i in range(n)]
    first = next(k for k in kinds if isinstance(k, Tile))
    vec = next(v for v in _VECS if v.ll == done[0].type)
    return tiled(b, tile(vec, first.n), done)


_VECS = (f32x16, i32x16, u8x64)


def widest(*kinds: Any) -> Any:
    return next((k for k in kinds if isinstance(k, Tile)), kinds[0])


def like(kind: Any, vec: Vec) -> Any:
    """Return `vec`, as a tile where `kind` is one."""
    return tile(vec, kind.n) if isinstance(kind, Tile) else vec


# -- memory ---------------------------------------------------------------------------------------

_SCALARS = {
    types.int8: I8,
    types.uint8: I8,
    types.uint16: I16,
    types.uint32: I32,
    types.int32: I32,
    types.int64: I64,
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
}


def _memory_type(kind: Any) -> Any:
    return _SCALARS[kind] if kind in _SCALARS else kind.ll


@op(lambda kind, address: kind)
def load(b: Builder, kinds: Any, _: Value, address: Value) -> Value:
    """Read a scalar, a vector, or a tile's registers one after the other."""
    if not isinstance(kinds[0], Tile):
        return b.load(pointer(b, address, _memory_type(kinds[0])), align=1)
    vec, n_bytes = kinds[0].vec, vec_bytes(kinds[0].vec)
    at_i = (b.add(address, I64(i * n_bytes)) for i in range(kinds[0].n))
    return tiled(b, kinds[0], [b.load(pointer(b, a, vec.ll), align=1) for a in at_i])


def vec_bytes(vec: Vec) -> int:
    return vec.n * {"u8": 1, "i8": 1, "i16": 2, "f16": 2, "bf16": 2}.get(vec.element, 4)


@op(lambda address, value: types.void)
def store(b: Builder, kinds: Any, address: Value, value: Value) -> None:
    """Write a scalar, a vector, or a tile's registers one after the other."""
    if not isinstance(kinds[1], Tile):
        b.store(value, pointer(b, address, value.type), align=1)
        return
    step = I64(vec_bytes(kinds[1].vec))
    for i, v in enumerate(registers(b, kinds[1], value)):
        b.store(v, pointer(b, at(b, address, i, step), v.type), align=1)


@op(lambda address, value: types.void)
def store_bytes(b: Builder, kinds: Any, address: Value, value: Value) -> None:
    """Write 16 int32 as 16 bytes."""
    b.store(b.trunc(value, ir.VectorType(I8, 16)), pointer(b, address, ir.VectorType(I8, 16)), align=1)


@op(lambda address, value: types.void)
def store_f16(b: Builder, kinds: Any, address: Value, value: Value) -> None:
    """Write one float32 as float16."""
    b.store(b.fptrunc(value, ir.HalfType()), pointer(b, address, ir.HalfType()), align=1)


@op(lambda kind, address, stride: kind)
def load_each(b: Builder, kinds: Any, _: Value, address: Value, stride: Value) -> Value:
    """Read each register of a tile, `stride` bytes apart."""
    ptr = [pointer(b, at(b, address, i, stride), kinds[0].vec.ll) for i in range(kinds[0].n)]
    return tiled(b, kinds[0], [b.load(p, align=1) for p in ptr])


@op(lambda address, stride, value: types.void)
def store_each(b: Builder, kinds: Any, address: Value, stride: Value, value: Value) -> None:
    """Write each register of a tile, `stride` bytes apart."""
    for i, v in enumerate(registers(b, kinds[2], value)):
        b.store(v, pointer(b, at(b, address, i, stride), v.type), align=1)


@op(lambda kind, address, stride: kind)
def splat_each(b: Builder, kinds: Any, _: Value, address: Value, stride: Value) -> Value:
    """Read one scalar for each register of a tile, `stride` bytes apart, and fill it with that."""
    vec = kinds[0].vec
    ptr = [pointer(b, at(b, address, i, stride), vec.ll.element) for i in range(kinds[0].n)]
    return tiled(b, kinds[0], [splatted(b, vec, b.load(p, align=1)) for p in ptr])


@op(lambda address: types.void)
def prefetch(b: Builder, kinds: Any, address: Value) -> None:
    """Ask for the cache line at `address`."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    b.call(function, [pointer(b, address, I8), I32(0), I32(3), I32(1)])


# -- making and changing --------------------------------------------------------------------------


@op(lambda kind: kind)
def zeros(b: Builder, kinds: Any, _: Value) -> Value:
    """Return all zeros."""
    return ir.Constant(kinds[0].ll, None)


@op(lambda kind, scalar: kind)
def splat(b: Builder, kinds: Any, _: Value, scalar: Value) -> Value:
    """Fill a vector with one scalar."""
    return splatted(b, kinds[0], scalar)


@op(lambda kind, value: like(value, kind))
def bits(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Take the same bits as another vector type."""
    return each(b, kinds[1:], [value], lambda v: b.bitcast(v, kinds[0].ll))


@op(lambda value: like(value, f32x16))
def to_f32(b: Builder, kinds: Any, value: Value) -> Value:
    """Convert int32, float16 or bfloat16 to float32, exactly where float32 can."""
    vec = getattr(kinds[0], "vec", kinds[0])

    def convert(v: Value) -> Value:
        if vec.element == "i32":
            return b.sitofp(v, f32x16.ll)
        if vec.element == "f16":
            return b.fpext(v, f32x16.ll)
        wide = b.shl(b.zext(v, i32x16.ll), constant(i32x16, 16))
        return b.bitcast(wide, f32x16.ll)

    return each(b, kinds, [value], convert)


@op(lambda kind, value: kind)
def round_to(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Round float32 to a narrower float, or to the nearest int32 (ties to even)."""
    if kinds[0].element == "f16":
        return b.fptrunc(value, kinds[0].ll)
    return b.fptosi(call(b, "llvm.rint.v16f32", f32x16.ll, [value]), kinds[0].ll)


@op(lambda a, b: tile(getattr(a, "vec", a), getattr(a, "n", 1) + getattr(b, "n", 1)))
def join(b: Builder, kinds: Any, first: Value, second: Value) -> Value:
    """Put the registers of two tiles into one."""
    values = registers(b, kinds[0], first) + registers(b, kinds[1], second)
    return tiled(b, tile(kinds[0].vec, len(values)), values)


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
    larger = lambda p, q: b.select(b.fcmp_ordered(">", p, q), p, q)  # noqa: E731
    return each(b, kinds, [x, y], larger)


@op(lambda x, y: widest(x, y))
def minimum(b: Builder, kinds: Any, x: Value, y: Value) -> Value:
    """Return the smaller of each pair (of a NaN and a number: y)."""
    smaller = lambda p, q: b.select(b.fcmp_ordered("<", p, q), p, q)  # noqa: E731
    return each(b, kinds, [x, y], smaller)


@op(lambda x: x)
def absolute(b: Builder, kinds: Any, x: Value) -> Value:
    """Drop the sign."""
    return each(b, kinds, [x], lambda v: call(b, "llvm.fabs.v16f32", f32x16.ll, [v]))


@op(lambda x, bound, below, otherwise: widest(below, otherwise))
def where_less(b: Builder, kinds: Any, x: Value, bound: Value, below: Value, other: Value) -> Value:
    """Choose `below` where x < bound, else (and for NaN) `otherwise`."""
    choose = lambda v, u, p, q: b.select(b.fcmp_ordered("<", v, u), p, q)  # noqa: E731
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


@op(lambda value: value)
def low_nibbles(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the low four bits of every byte."""
    return each(b, kinds, [value], lambda v: b.and_(v, constant(u8x64, 15)))


@op(lambda value: value)
def high_nibbles(b: Builder, kinds: Any, value: Value) -> Value:
    """Return the high four bits of every byte."""
    wide = ir.VectorType(ir.IntType(16), 32)  # x86 shifts no bytes

    def high(v: Value) -> Value:
        shifted = b.lshr(b.bitcast(v, wide), ir.Constant(wide, [4] * 32))
        return b.and_(b.bitcast(shifted, u8x64.ll), constant(u8x64, 15))

    return each(b, kinds, [value], high)


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
