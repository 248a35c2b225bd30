"""Which instruction set kernels are compiled for: the best this machine has, or GGJIT_TARGET."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numba

from .host import ARM, X86, host_features

_AVX2: tuple[str, ...] = ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma")
_AVX2 += ("f16c", "bmi", "bmi2", "lzcnt", "movbe")
_AVX512 = (*_AVX2, "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd")
_VNNI = (*_AVX512, "avx512vnni")
_AMX = (*_VNNI, "amx-tile", "amx-int8")
_MANY, _FEW = ((2, 6), (2, 4)), ((1, 4), (2, 2), (1, 2))  # tiles for so many registers
_FEWER, _FEWEST = ((1, 2), (1, 4)), ((1, 1), (1, 2))


@dataclass(frozen=True)
class Target:
    """An instruction set: the LLVM features it needs, and what kernels have to know of it."""

    name: str
    needs: tuple[str, ...]
    cpu: str  # that LLVM is told of when the target is forced: one that has no more than it needs
    dot: str  # which of simd/sums.py
    n_tokens: int  # that share weights straight from packed rows: what fits the registers
    few: int  # tokens that are not worth unpacking rows for
    tiles: tuple[tuple[int, int], ...]  # groups of 16 unpacked rows by tokens, the likeliest first
    queries: tuple[int, int]  # that attend together: of a prompt; at most, of one token's heads
    has_tiles: bool = False  # AMX
    has_words: bool = False  # activations of 16 bits meet weights as words, not as two bytes each
    has_halves: bool = True  # converts float16 by itself
    machines: tuple[str, ...] = X86  # (): any


TARGETS = (  # best first
    Target("avx512-amx", _AMX, "x86-64-v4", "vnni512", 8, 8, _MANY, (8, 8), has_tiles=True),
    Target("avx512-vnni", _VNNI, "x86-64-v4", "vnni512", 8, 8, _MANY, (8, 8)),
    Target("avx512", _AVX512, "x86-64-v4", "maddubs512", 8, 8, _MANY, (8, 8), has_words=True),
    Target("avx-vnni", (*_AVX2, "avxvnni"), "x86-64-v3", "vnni256", 4, 4, _FEW, (3, 8)),
    Target("avx2", _AVX2, "x86-64-v3", "maddubs256", 2, 6, _FEW, (2, 8), has_words=True),
    Target("neon-i8mm", ("dotprod", "i8mm"), "generic", "usdot", 4, 4, _FEW, (4, 4), machines=ARM),
    Target("neon-dotprod", ("dotprod",), "generic", "sdot", 4, 4, _FEW, (4, 4), machines=ARM),
    Target("neon", (), "generic", "widened", 2, 2, _FEWER, (2, 2), machines=ARM),
    Target(
        "generic", (), "generic", "widened", 1, 1, _FEWEST, (1, 1), has_halves=False, machines=()
    ),
)


def runnable() -> list[Target]:
    """Return the targets this machine can run, best first."""
    have = host_features()
    here = [t for t in TARGETS if not t.machines or platform.machine() in t.machines]
    return [t for t in here if all(have.get(f) for f in t.needs)]


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
        name, features = llvm.get_host_cpu_name(), host_features()
    else:
        any_x86 = target.cpu == "generic" and platform.machine() in X86
        name, features = "x86-64" if any_x86 else target.cpu, dict.fromkeys(target.needs, True)
    if features.get("avx512f"):
        features["prefer-256-bit"] = False
    return name, ",".join(f"{'+' if on else '-'}{f}" for f, on in sorted(features.items()))
