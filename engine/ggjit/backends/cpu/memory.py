"""Memory for kernels: zeroed, aligned to cache lines, known by address."""

from __future__ import annotations

import ctypes
import mmap
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


def drop_pages(array: npt.NDArray[Any]) -> None:
    """Give back the memory of a mapped file's array; its pages are read again when touched.

    Files are mapped read-only: other memory would lose what it holds.
    """
    if array.flags.writeable or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = -(-address(array) // mmap.PAGESIZE) * mmap.PAGESIZE  # pages shared with others stay
    end = (address(array) + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if start < end:
        madvise = ctypes.CDLL(None).madvise
        madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)
