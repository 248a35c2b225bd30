"""A table of 16 bytes in a register: every byte of a vector replaced by the entry it numbers."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy.typing as npt
from llvmlite import ir
from numba import types

from . import target
from .emit import Builder, Value, constant, each, op
from .host import ARM
from .parts import by_parts
from .types import I8, I64, f32x16, i32x16, u8x64


def look_up_shuffling(name: str, n: int) -> Callable[..., Value]:
    """Return the emitter for an instruction that takes `n` codes at a time."""

    def emit(b: Builder, table: tuple[int, ...], codes: Value) -> Value:
        entries = ir.Constant(u8x64.ll, list(table) * 4)
        return by_parts(b, name, n, I8, entries, codes)

    return emit


def look_up_comparing(b: Builder, table: tuple[int, ...], codes: Value) -> Value:
    """Any machine: choose entry after entry."""
    found = constant(u8x64, table[0])
    for code, value in enumerate(table[1:], start=1):
        here = b.icmp_unsigned("==", codes, constant(u8x64, code))
        found = b.select(here, constant(u8x64, value), found)
    return found


LOOKUPS: dict[str, Callable[..., Value]] = {
    "avx512": look_up_shuffling("llvm.x86.avx512.pshuf.b.512", 64),
    "avx2": look_up_shuffling("llvm.x86.avx2.pshuf.b", 32),
    "neon": look_up_shuffling("llvm.aarch64.neon.tbl1.v16i8", 16),
    "generic": look_up_comparing,
}


def best() -> str:
    """Return which emitter the target is for."""
    needs = target.current().needs
    if "avx512bw" in needs:
        return "avx512"
    if "avx2" in needs:
        return "avx2"
    return "neon" if platform.machine() in ARM else "generic"


@cache
def lookup(table: tuple[int, ...], way: str | None = None) -> Any:
    """Return the operation that replaces each byte, below 16, by that entry of the table."""
    assert len(table) == 16, table
    emit = LOOKUPS[way or best()]

    @op(lambda codes: codes)
    def look_up(b: Builder, kinds: Any, codes: Value) -> Value:
        return each(b, kinds, [codes], lambda v: emit(b, table, v))

    return look_up


@cache
def staircase(bounds: tuple[float, ...], values: tuple[float, ...]) -> Any:
    """Return the operation that gives each float the value of its step: number i up to bound i.

    What is on a bound is above it. Values are all int32 or all float32; there is one more.
    """
    assert len(values) == len(bounds) + 1
    vec = i32x16 if isinstance(values[0], int) else f32x16

    @op(lambda v: vec)
    def step_of(b: Builder, kinds: Any, v: Value) -> Value:
        found = constant(vec, values[0])
        for bound, value in zip(bounds, values[1:], strict=True):
            below = b.fcmp_ordered("<", v, constant(f32x16, bound))
            found = b.select(below, found, constant(vec, value))
        return found

    return step_of


def table(values: npt.NDArray[Any]) -> Any:
    """Return the operation that gives the address of an array, which becomes part of the code."""
    data = bytearray(values.tobytes())

    @op(lambda: types.int64)
    def address_of(b: Builder, kinds: Any) -> Value:
        kind = ir.ArrayType(I8, len(data))
        whole = ir.GlobalVariable(b.module, kind, b.module.get_unique_name("table"))
        whole.initializer, whole.global_constant = ir.Constant(kind, data), True
        whole.linkage, whole.align = "internal", 64
        return b.ptrtoint(whole, I64)

    return address_of
