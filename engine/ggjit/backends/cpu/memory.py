"""Memory for kernels: zeroed, aligned to cache lines, known by address."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64


def aligned(n: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return n zeros on a cache line; pages are not touched until used."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(n * item + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + n * item].view(dtype)


def address(array: npt.NDArray[Any]) -> int:
    """Return where an array lies; the caller keeps it alive."""
    return int(array.ctypes.data)
