"""Files read before they are used, so that the disk is busy while something is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

MOST = 1 << 30  # bytes: what is used much later may have left the system's cache by then
PIECE = 1 << 20  # bytes, which a processor's cache holds
N_PIECES = 128  # of one call: after each, this thread may have to wait for others


@contextmanager
def reading_ahead(paths: Iterable[Path]) -> Iterator[None]:
    """Read files into the system's cache, one after the other, until the block ends.

    The system reads ahead in mapped files only where they are used already, and when advised to
    read (WILLNEED) in a way that made using the pages slower, measured on Linux 6.18. Where there
    is no call for many pieces (Windows), nothing is read.
    """
    ended = Event()
    if hasattr(os, "readv"):
        Thread(target=_read, args=(list(paths), ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _read(paths: list[Path], ended: Event) -> None:
    pieces, left = [bytearray(PIECE)] * N_PIECES, MOST
    for path in paths:
        with suppress(OSError), path.open("rb", buffering=0) as file:  # its user will be told
            while left > 0 and not ended.is_set() and (n := os.readv(file.fileno(), pieces)):
                left -= n
