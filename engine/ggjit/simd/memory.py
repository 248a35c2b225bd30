"""Memory: scalars, vectors and tiles, read and written at plain integer addresses."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .emit import Builder, Value, at, op, pointer, registers, splatted, tiled
from .halves import narrowed
from .types import I8, I16, I32, I64, Tile, Vec

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
_BYTES = {"u8": 1, "i8": 1, "i16": 2, "u16": 2, "f16": 2, "bf16": 2}  # the others have 4


def _memory_type(kind: Any) -> Any:
    return _SCALARS.get(kind) or kind.ll


@op(lambda kind, address: kind)
def load(b: Builder, kinds: Any, _: Value, address: Value) -> Value:
    """Read a scalar, a vector, or a tile's registers one after the other."""
    if not isinstance(kinds[0], Tile):
        return b.load(pointer(b, address, _memory_type(kinds[0])), align=1)
    vec, n_bytes = kinds[0].vec, vec_bytes(kinds[0].vec)
    at_i = (b.add(address, I64(i * n_bytes)) for i in range(kinds[0].n))
    return tiled(b, kinds[0], [b.load(pointer(b, a, vec.ll), align=1) for a in at_i])


def vec_bytes(vec: Vec) -> int:
    return vec.n * _BYTES.get(vec.element, 4)


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
    narrow = ir.VectorType(I8, 16)
    b.store(b.trunc(value, narrow), pointer(b, address, narrow), align=1)


@op(lambda address, value: types.void)
def store_words(b: Builder, kinds: Any, address: Value, value: Value) -> None:
    """Write 16 int32 as int16, of every four the second and third exchanged."""
    order = [i // 4 * 4 + (0, 2, 1, 3)[i % 4] for i in range(16)]
    value = b.shuffle_vector(value, value, ir.Constant(ir.VectorType(I32, 16), order))
    narrow = ir.VectorType(I16, 16)
    b.store(b.trunc(value, narrow), pointer(b, address, narrow), align=1)


@op(lambda address, value: types.void)
def store_f16(b: Builder, kinds: Any, address: Value, value: Value) -> None:
    """Write one float32 as float16, what is too large as the largest (NaN stays)."""
    for sign, limit in ((">", 65504.0), ("<", -65504.0)):
        most = ir.Constant(ir.FloatType(), limit)
        value = b.select(b.fcmp_ordered(sign, value, most), most, value)
    b.store(narrowed(b, value), pointer(b, address, ir.HalfType()), align=1)


@op(lambda kind, address, stride: kind)
def load_each(b: Builder, kinds: Any, _: Value, address: Value, stride: Value) -> Value:
    """Read each register of a tile, `stride` bytes apart."""
    ptr = [pointer(b, at(b, address, i, stride), kinds[0].vec.ll) for i in range(kinds[0].n)]
    return tiled(b, kinds[0], [b.load(p, align=1) for p in ptr])


@op(lambda kind, address, index: kind)
def gather(b: Builder, kinds: Any, _: Value, address: Value, index: Value) -> Value:
    """Read one element for each lane: number `index` of those that follow each other."""
    vec, n_bytes = kinds[0], vec_bytes(kinds[0]) // kinds[0].n
    value = ir.Constant(vec.ll, ir.Undefined)
    for lane in range(vec.n):
        number = b.zext(b.extract_element(index, I32(lane)), I64)
        place = pointer(b, b.add(address, b.mul(number, I64(n_bytes))), vec.ll.element)
        value = b.insert_element(value, b.load(place, align=1), I32(lane))
    return value


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
    _prefetch(b, address, 3)


@op(lambda address: types.void)
def prefetch_far(b: Builder, kinds: Any, address: Value) -> None:
    """Ask for the cache line at `address`, which the second cache is near enough for."""
    _prefetch(b, address, 2)


def _prefetch(b: Builder, address: Value, locality: int) -> None:
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    b.call(function, [pointer(b, address, I8), I32(0), I32(locality), I32(1)])
