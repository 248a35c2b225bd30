"""One kernel to one relocatable object file, through Numba and LLVM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock

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
    with as_written():
        dispatcher: Any = numba.njit(SIGNATURE, error_model="numpy", **options)(entry(kernel))
        result = dispatcher.overloads[SIGNATURE.args]
        module = llvm.parse_assembly(result.library.get_llvm_str())
    module.get_function(result.fndesc.llvm_func_name).name = symbol(kernel.name)
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(target_machine(), tuning)
    builder.getModulePassManager().run(module, builder)
    return module


@contextmanager
def as_written() -> Iterator[None]:
    """Keep Numba from optimizing and assembling device functions one by one.

    They are only ever inlined: optimizing the kernel once does it, in half the time. Numba
    has no option for that; where its insides have changed, it just takes longer.
    """
    steps = [(CPUCodeLibrary, "_optimize_functions"), (CPUCodeLibrary, "_optimize_final_module"),
             (JITCPUCodegen, "_add_module"), (JITCPUCodegen, "set_env")]  # fmt: skip
    with global_compiler_lock, ExitStack() as stack:
        for owner, name in steps:
            if hasattr(owner, name):
                stack.enter_context(replaced(owner, name, lambda *args: None))
        yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let an attribute be another for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


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
