"""Intel AMX: tile registers of 16 rows by 64 bytes, numbered by literals.

Linux grants them to a process on request (`target.runnable` asks).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from .emit import Builder, Value, call, op, pointer
from .types import I8


@op(lambda address: types.void)
def configure(b: Builder, kinds: Any, address: Value) -> None:
    """Shape the tile registers as the 64 bytes at `address` say."""
    call(b, "llvm.x86.ldtilecfg", ir.VoidType(), [pointer(b, address, I8)])


@op(lambda: types.void)
def release(b: Builder, kinds: Any) -> None:
    """Give the tile registers back."""
    call(b, "llvm.x86.tilerelease", ir.VoidType(), [])


@op(lambda i, address, stride: types.void, literal=True)
def load_tile(b: Builder, kinds: Any, i: Value, address: Value, stride: Value) -> None:
    """Read register i, its rows `stride` bytes apart."""
    args = [_literal(kinds[0]), pointer(b, address, I8), stride]
    call(b, "llvm.x86.tileloadd64", ir.VoidType(), args)


@op(lambda i, address, stride: types.void, literal=True)
def store_tile(b: Builder, kinds: Any, i: Value, address: Value, stride: Value) -> None:
    """Write register i, its rows `stride` bytes apart."""
    args = [_literal(kinds[0]), pointer(b, address, I8), stride]
    call(b, "llvm.x86.tilestored64", ir.VoidType(), args)


@op(lambda out, a, b: types.void, literal=True)
def dot_tiles(b: Builder, kinds: Any, *_: Value) -> None:
    """out[m, n] = sum over k of a[m, k] * b[k / 4, n, k % 4], signed bytes to int32."""
    out, x, y = (_literal(k) for k in kinds)
    call(b, "llvm.x86.tilezero", ir.VoidType(), [out])
    call(b, "llvm.x86.tdpbssd", ir.VoidType(), [out, x, y])


@op(lambda i: types.void, literal=True)
def clear_tile(b: Builder, kinds: Any, _: Value) -> None:
    """Fill register i with zeros."""
    call(b, "llvm.x86.tilezero", ir.VoidType(), [_literal(kinds[0])])


@op(lambda out, a, b: types.void, literal=True)
def add_dots(b: Builder, kinds: Any, *_: Value) -> None:
    """Add to `out` what `dot_tiles` makes of a and b."""
    call(b, "llvm.x86.tdpbssd", ir.VoidType(), [_literal(k) for k in kinds])


@op(lambda out, a, b: types.void, literal=True)
def add_unsigned_dots(b: Builder, kinds: Any, *_: Value) -> None:
    """Add to `out` what `dot_tiles` makes of a and b, whose bytes are unsigned."""
    call(b, "llvm.x86.tdpbsud", ir.VoidType(), [_literal(k) for k in kinds])


def _literal(kind: Any) -> Value:
    return I8(kind.literal_value)
