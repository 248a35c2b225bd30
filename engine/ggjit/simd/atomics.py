"""What threads use to meet: atomic integers, the spin-wait hint, and calls through an address."""

from __future__ import annotations

import platform
import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .emit import Builder, Value, call, op, pointer
from .host import ARM, X86
from .types import I8, I32, I64


@op(lambda address: types.int64)
def atomic_load(b: Builder, kinds: Any, address: Value) -> Value:
    """Read an int64; later reads see what its writer wrote before."""
    return b.load_atomic(pointer(b, address, I64), "acquire", 8)


@op(lambda address, value: types.void)
def atomic_store(b: Builder, kinds: Any, address: Value, value: Value) -> None:
    """Write an int64 after everything written before."""
    b.store_atomic(value, pointer(b, address, I64), "seq_cst", 8)


@op(lambda address, value: types.int64)
def atomic_add(b: Builder, kinds: Any, address: Value, value: Value) -> Value:
    """Add to an int64; return what it was."""
    return b.atomic_rmw("add", pointer(b, address, I64), value, "seq_cst")


@op(lambda address, value: types.int64)
def atomic_swap(b: Builder, kinds: Any, address: Value, value: Value) -> Value:
    """Write an int64; return what it was."""
    return b.atomic_rmw("xchg", pointer(b, address, I64), value, "seq_cst")


@op(lambda: types.void)
def pause(b: Builder, kinds: Any) -> None:
    """Tell the core that it is waiting in a loop."""
    if platform.machine() in X86:
        call(b, "llvm.x86.sse2.pause", ir.VoidType(), [])
    elif platform.machine() in ARM:  # most cores take `yield` for nothing; this waits a little
        call(b, "llvm.aarch64.isb", ir.VoidType(), [I32(15)])


@op(lambda: types.void)
def give_way(b: Builder, kinds: Any) -> None:
    """Let another thread have this core, where the system has a call for it."""
    if sys.platform != "win32":
        call(b, "sched_yield", I32, [])


@op(lambda address, operands, thread, n_threads: types.void)
def call_kernel(b: Builder, kinds: Any, address: Value, *args: Value) -> None:
    """Call a compiled kernel at an address."""
    any_pointer = I8.as_pointer()
    kind = ir.FunctionType(I32, [any_pointer, any_pointer, I64, I32, I32])
    result = b.bitcast(cgutils.alloca_once(b, ir.ArrayType(I64, 4)), any_pointer)
    b.call(pointer(b, address, kind), [result, any_pointer(None), *args])
