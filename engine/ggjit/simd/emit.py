"""Making operations: an emitter of LLVM code becomes a function that kernels can call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .types import I32, I64, Tile, Vec, f32x16, i32x16, tile, u8x64

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

            def codegen(context: Any, builder: Builder, _: Any, args: Sequence[Value]) -> Value:
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


def filled(b: Builder, vec: Vec, scalar: Value) -> Value:
    """Fill a vector with a number, made what its elements are."""
    to, whole = vec.ll.element, isinstance(scalar.type, ir.IntType)
    if whole and not isinstance(to, ir.IntType):
        scalar = b.sitofp(scalar, to)
    elif scalar.type != to:
        scalar = (b.trunc if whole else b.fptrunc)(scalar, to)
    return splatted(b, vec, scalar)


def pointer(b: Builder, address: Value, to: Any) -> Value:
    return b.inttoptr(address, to.as_pointer())


def at(b: Builder, address: Value, i: int, stride: Value) -> Value:
    return b.add(address, b.mul(stride, I64(i))) if i else address


def registers(b: Builder, kind: Any, value: Value) -> list[Value]:
    """Return the vectors of a tile, or the one vector."""
    return [b.extract_value(value, i) for i in range(kind.n)] if isinstance(kind, Tile) else [value]


def tiled(b: Builder, kind: Any, values: Sequence[Value]) -> Value:
    """Return vectors as a tile, or the one vector."""
    if not isinstance(kind, Tile):
        return values[0]
    out = ir.Constant(kind.ll, ir.Undefined)
    for i, value in enumerate(values):
        out = b.insert_value(out, value, i)
    return out


def each(
    b: Builder, kinds: Sequence[Any], values: Sequence[Value], f: Callable[..., Value]
) -> Value:
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
    return kind.of(vec) if isinstance(kind, Tile) else vec
