"""Kernels as addresses: read from the cache, compile what is missing, load all into the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding as llvm

from . import cache
from .compiler import compile_object, symbol
from .kernel import Kernel

Progress = Callable[[int, int, str], None]

_addresses: dict[str, int] = {}
_engines: list[Any] = []  # own the machine code


def compile_kernels(kernels: Iterable[Kernel], progress: Progress | None = None) -> dict[str, int]:
    """Return each kernel's address by name.

    `progress(done, total, name)` is told of kernels that have to be compiled.
    """
    wanted = {k.name: k for k in kernels}
    new = {name: k for name, k in wanted.items() if name not in _addresses}
    code = {name: cache.read(name) for name in new}
    missing = [name for name, c in code.items() if c is None]
    if missing:
        with cache.locked():
            for i, name in enumerate(missing):
                if progress:
                    progress(i, len(missing), name)
                code[name] = cache.read(name) or _compiled(new[name])
        if progress:
            progress(len(missing), len(missing), "")
    _addresses.update(_load({name: c for name, c in code.items() if c is not None}))
    return {name: _addresses[name] for name in wanted}


def _compiled(kernel: Kernel) -> bytes:
    code = compile_object(kernel)
    cache.write(kernel.name, code)
    return code


def _load(code: dict[str, bytes]) -> dict[str, int]:
    """Put object files into executable memory."""
    if not code:
        return {}
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.Target.from_default_triple()
    machine = triple.create_target_machine(codemodel="jitdefault", jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    for data in code.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    _engines.append(engine)
    return {name: engine.get_function_address(symbol(name)) for name in code}
