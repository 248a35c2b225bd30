"""What this machine is, and what it can do at most: measured, in about a second."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from ...jit import Kernel, compile_kernels
from ...kernels import peaks
from ...simd import target
from .cores import default_threads
from .memory import Arena, address, aligned
from .tape import entries_of
from .threads import Team

PASS_S = 0.12  # how long passes of one loop are repeated: longer than a scheduler's time slices
# Ways to read: runs side by side, and how many bytes before a line is read it is asked for. Which
# serves best differs between machines, and between their caches and their memory.
WAYS = ((1, 0), (1, 2048), (2, 2048), (4, 1024))
MOST_BYTES = 1 << 30  # more than caches hold
N_STEPS = 20_000  # of the int8 loops in one pass: a few hundred microseconds
DOT_OPS = 2 * 64  # multiplications and additions of one int8 dot; a word counts as two bytes
TILE_OPS = 2 * 16 * 16 * 64  # and of one product of AMX tiles


@dataclass(frozen=True)
class Int8Peaks:
    """Operations a second, a multiplication and an addition counted as two."""

    vector: float  # the int8 dot of vector registers
    tiles: float | None  # AMX, where prompts run on it

    @property
    def used(self) -> float:
        """What the matrix products of a long prompt run on."""
        return self.vector if self.tiles is None else self.tiles


def measure_bandwidth(n_threads: int, n_bytes: int = 256 << 20) -> float:
    """Return the bytes a second that threads read together, going over `n_bytes` again and again.

    A token reads all weights in the same way: with the model's `n_bytes`, caches keep as much of
    this memory as of the weights. Best pass of several ways to read.
    """
    piece = peaks.READ * max(n_streams for n_streams, _ in WAYS)
    n_bytes = max(min(n_bytes, MOST_BYTES) // piece, n_threads) * piece
    memory = Arena(n_bytes).take(n_bytes)
    memory.fill(1)  # untouched pages would all be one page of zeros
    sums = aligned(n_threads * peaks.READ, "u1")
    shared = {"memory": address(memory), "n_bytes": n_bytes, "sums": address(sums)}
    times = [_fastest(peaks.read_memory(n), n_threads, ahead=a, **shared) for n, a in WAYS]
    return n_bytes / min(times)


def measure_int8_peak(n_threads: int) -> float:
    """Return the int8 operations a second of what prompts run on."""
    return measure_int8_peaks(n_threads).used


def measure_int8_peaks(n_threads: int) -> Int8Peaks:
    """Measure loops that touch registers only, best of several passes."""
    x = aligned(1024, "u1")
    x[:] = np.arange(1024) % 7 + 1
    sums, config = aligned(1024 * n_threads, "u1"), aligned(64 * n_threads, "u1")
    shared = {"x": address(x), "sums": address(sums), "sums_step": 1024, "n_steps": N_STEPS}
    dots = N_STEPS * peaks.n_sums() * n_threads
    vector = DOT_OPS * dots / _fastest(peaks.multiply(), n_threads, **shared)
    if not target.current().has_tiles:
        return Int8Peaks(vector, None)
    products = N_STEPS * peaks.TILE_PRODUCTS * n_threads
    seconds = _fastest(peaks.multiply_tiles, n_threads, config=address(config), **shared)
    return Int8Peaks(vector, TILE_OPS * products / seconds)


def _fastest(kernel: Kernel, n_threads: int, **operands: float) -> float:
    """Return the seconds of the fastest pass of a team over a tape of this one step."""
    slots = kernel.operands(**operands)
    tape = entries_of([(compile_kernels([kernel])[kernel.name], address(slots), True, 0, 0)])
    team = Team(n_threads)
    times: list[float] = []
    end = perf_counter() + PASS_S
    while len(times) < 3 or perf_counter() < end:
        start = perf_counter()
        team.run(tape)
        times.append(perf_counter() - start)
    team.close()
    return min(times)


def describe_machine() -> dict[str, str | int]:
    """Return what a table of results has to name."""
    current = target.current()
    return {
        "cpu": cpu_name(),
        "cores": default_threads(),
        "target": current.name,
        **dict(_caches()),
        "memory": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()}",
    }


def cpu_name() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _caches() -> Iterator[tuple[str, str]]:
    """Yield the first CPU's data caches as Linux tells them: L1 48K, ..."""
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind = (folder / "type").read_text().strip()
            level, size = (folder / "level").read_text(), (folder / "size").read_text()
        except OSError:
            continue
        if kind != "Instruction":
            yield f"L{level.strip()}", size.strip()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
