"""One kernel to one relocatable object file, through Numba and LLVM."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types

from ..simd import target
from ..simd.ops import load
from .kernel import Kernel, device

SIGNATURE = types.void(types.int64, types.int32, types.int32)


def symbol(name: str) -> str:
    """Return the symbol of a kernel in its object file."""
    return f"ggjit_{name}"


def compile_object(kernel: Kernel) -> bytes:
    """Return machine code for this process's target: `i32 f(ptr, ptr, i64 operands, i32, i32)`."""
    return target_machine().emit_object(optimized(kernel))


def assembly(kernel: Kernel) -> str:
    """Return what `compile_object` emits, to read."""
    return target_machine().emit_assembly(optimized(kernel))


def optimized(kernel: Kernel) -> Any:
    """Return the kernel's LLVM module with one public function, `symbol(name)`."""
    target.current()
    options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher: Any = numba.njit(SIGNATURE, error_model="numpy", **options)(entry(kernel))
    result = dispatcher.overloads[SIGNATURE.args]
    module = llvm.parse_assembly(result.library.get_llvm_str())
    module.get_function(result.fndesc.llvm_func_name).name = symbol(kernel.name)
    return module


def entry(kernel: Kernel) -> Any:
    """Write the function that takes the slots apart and calls the kernel."""
    kinds = {int: "int64", float: "float64"}
    reads = [f"load({kinds[k]}, p + {8 * i})" for i, k in enumerate(kernel.slots.values())]
    values = [
        f"float32({read})" if kind is float else read
        for read, kind in zip(reads, kernel.slots.values(), strict=True)
    ]
    body = device(kernel.function)
    scope: dict[str, Any] = {"body": body, "load": load, **vars(types)}
    exec(f"def entry(p, thread, n_threads): body({', '.join(values)}, thread, n_threads)", scope)
    return scope["entry"]


@cache
def target_machine() -> Any:
    """Return LLVM's machine for the target; Numba's own may have been settled by other code."""
    cpu, features = target.machine_of(target.current())
    triple = llvm.Target.from_default_triple()
    reloc = "static" if triple.name.startswith("x86") else "default"
    return triple.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )
