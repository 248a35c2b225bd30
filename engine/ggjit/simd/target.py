"""Which instruction set kernels are compiled for: the best this machine has, or GGJIT_TARGET."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numba

_AVX2 = ["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma", "f16c", "bmi"]
_AVX2 += ["bmi2", "lzcnt", "movbe"]
_AVX512 = [*_AVX2, "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd"]
_VNNI = [*_AVX512, "avx512vnni"]
_AMX = [*_VNNI, "amx-tile", "amx-int8"]


@dataclass(frozen=True)
class Target:
    """An instruction set: the LLVM features it needs, and what kernels have to know of it."""

    name: str
    needs: tuple[str, ...]
    cpu: str  # that LLVM is told of when the target is forced
    dot: str  # which of simd/dot.py
    n_tokens: int  # of a tile: what fits the registers beside weights
    has_tiles: bool = False  # AMX
    has_halves: bool = True  # converts float16 by itself
    machines: tuple[str, ...] = ("x86_64", "AMD64")


_ARM = platform.machine() in ("aarch64", "arm64")
TARGETS = (  # best first
    Target("avx512-amx", tuple(_AMX), "sapphirerapids", "vnni", 8, has_tiles=True),
    Target("avx512-vnni", tuple(_VNNI), "cascadelake", "vnni", 8),
    Target("avx2", tuple(_AVX2), "haswell", "avx2", 2),
    Target("generic", (), "generic", "generic", 1, has_halves=_ARM, machines=()),
)


def host_features() -> dict[str, bool]:
    """Return what the CPU and the operating system offer, by LLVM's names."""
    return dict(llvm.get_host_cpu_features())


def runnable() -> list[Target]:
    """Return the targets this machine can run, best first."""
    have = host_features()
    here = [t for t in TARGETS if not t.machines or platform.machine() in t.machines]
    able = [t for t in here if all(have.get(f) for f in t.needs)]
    return [t for t in able if "amx-tile" not in t.needs or _amx_permitted()]


def _amx_permitted() -> bool:
    """Ask Linux for the tile registers (arch_prctl ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)."""
    if not sys.platform.startswith("linux"):
        return False
    return ctypes.CDLL(None, use_errno=True).syscall(158, 0x1023, 18) == 0


@cache
def current() -> Target:
    """Return the target of this process, and ask Numba to optimize for it."""
    able = {t.name: t for t in runnable()}
    forced = os.environ.get("GGJIT_TARGET")
    if forced and forced not in able:
        known = ", ".join(able)
        raise ValueError(f"GGJIT_TARGET={forced!r}: this machine can run {known}")
    target = able[forced] if forced else next(iter(able.values()))
    config: Any = numba.config
    config.CPU_NAME, config.CPU_FEATURES = machine_of(target)
    return target


def machine_of(target: Target) -> tuple[str, str]:
    """Return LLVM's CPU name and feature string: the host's own where nothing is held back."""
    if target is runnable()[0]:
        have = {k: v for k, v in host_features().items() if k != "prefer-256-bit"}
        flags = [f"{'+' if on else '-'}{name}" for name, on in sorted(have.items())]
        wide = ["-prefer-256-bit"] if have.get("avx512f") else []
        return llvm.get_host_cpu_name(), ",".join(flags + wide)
    name = "x86-64" if target.name == "generic" and platform.machine() == "x86_64" else target.cpu
    return name, ",".join(f"+{f}" for f in target.needs)
