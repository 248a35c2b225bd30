"""Memory for kernels under test: guard bytes on both sides, and poison where nothing was written.

Guards and poison are 0xFF bytes, which are NaN as a float of any size: what a kernel reads beyond
its input or forgets to write shows in the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ggjit.backends.cpu.memory import address, aligned
from ggjit.backends.cpu.threads import Call
from ggjit.jit import Kernel

POISON = 0xFF
GUARD_BYTES = 256


class Guarded:
    """An array on a cache line between two guards."""

    def __init__(self, shape: int | tuple[int, ...], dtype: Any) -> None:
        n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._bytes = aligned(n_bytes + 2 * GUARD_BYTES, np.uint8)
        self._bytes[:] = POISON
        self._end = GUARD_BYTES + n_bytes
        self.array = self._bytes[GUARD_BYTES : self._end].view(dtype).reshape(shape)
        self.address = address(self.array)

    @classmethod
    def of(cls, values: Any) -> Guarded:
        """Return a guarded copy."""
        values = np.asarray(values)
        made = cls(values.shape, values.dtype)
        made.array[:] = values
        return made

    @classmethod
    def rows(cls, x: Any, n_rows: int | None = None) -> Guarded:
        """Return float32 rows as kernels want them: padded with zeros to 16 columns.

        Rows past those of `x`, up to `n_rows`, are poison.
        """
        x = np.asarray(x, np.float32)
        made = cls((n_rows or len(x), padded(x.shape[1])), np.float32)
        made.array[: len(x)] = 0
        made.array[: len(x), : x.shape[1]] = x
        return made

    @property
    def stride(self) -> int:
        """Bytes from row to row."""
        return int(self.array.strides[0])

    def check(self) -> None:
        """Fail if a guard was written to."""
        guards = self._bytes[:GUARD_BYTES], self._bytes[self._end :]
        for guard, side in zip(guards, ("before", "after"), strict=True):
            assert np.all(guard == POISON), f"written {side} the array"


def padded(n: int) -> int:
    return (n + 15) // 16 * 16


@dataclass(frozen=True)
class Part:
    """Only one of the threads' parts, where the number of threads is asked for."""

    thread: int
    n_threads: int


def run(kernel: Kernel, threads: int | Part, *guarded: Any, **operands: float) -> None:
    """Run every thread's part, one after the other, the last thread first; then check guards."""
    whole = not isinstance(threads, Part)
    n_threads = threads if whole else threads.n_threads
    for thread in reversed(range(n_threads)) if whole else [threads.thread]:
        Call(kernel, thread, n_threads, **operands)()
    for memory in guarded:
        memory.check()
