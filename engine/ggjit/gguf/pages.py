"""Pages of mapped files, and of other memory: what the system is told about their use."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy.typing as npt


def drop_pages(array: npt.NDArray[Any]) -> None:
    """Give back the memory of a mapped file's array; its pages are read again when touched.

    Files are mapped read-only: other memory would lose what it holds.
    """
    if not array.flags.writeable:
        advise(array, getattr(mmap, "MADV_DONTNEED", None))


def advise(array: npt.NDArray[Any], advice: int | None) -> None:
    """Tell the system how the pages that lie wholly within an array are used, where it listens."""
    address = int(array.ctypes.data)
    start = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (address + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if advice is not None and start < end:
        madvise = ctypes.CDLL(None).madvise
        madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), advice)
