"""Memory for kernels: zeroed, aligned to cache lines, known by address."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gguf.pages import advise

ALIGNMENT = 64
HUGE_PAGE = 2 << 20


def aligned(n: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return n zeros on a cache line; pages are not touched until used."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(n * item + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + n * item].view(dtype)


class Arena:
    """One block of memory in large pages where the system has them, handed out piece by piece.

    Large pages spare most page faults of what grows, and address translations of what is read again
    and again.
    """

    def __init__(self, n_bytes: int) -> None:
        self._block = aligned(n_bytes + HUGE_PAGE, np.uint8)
        self._used = -address(self._block) % HUGE_PAGE
        advise(self._block[self._used :], getattr(mmap, "MADV_HUGEPAGE", None))

    def take(self, n_bytes: int) -> npt.NDArray[np.uint8]:
        """Return the next bytes, on a cache line."""
        start = self._used
        self._used += (n_bytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        assert self._used <= len(self._block)
        return self._block[start : start + n_bytes]


def address(array: npt.NDArray[Any]) -> int:
    """Return where an array lies; the caller keeps it alive."""
    return int(array.ctypes.data)
