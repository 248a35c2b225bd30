"""One line on stderr that is written over again and again, where a person looks at it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..backends import Progress
    from ..generate import Model

PATIENCE_S = 0.3  # what is over sooner is not worth a line
IN_BYTES = ("packing", "checking", "writing")  # what is counted in bytes
CLEAR = "\r\x1b[K"


def show_status(text: str) -> None:
    """Replace the line; an empty text clears it. Does nothing where stderr is not a terminal."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(CLEAR + text[:width])
        sys.stderr.flush()


@contextmanager
def load_status() -> Iterator[Progress]:
    """Yield the progress function of `load`; the line is gone afterwards."""
    started, began = perf_counter(), dict[str, float]()

    def progress(what: str, n_done: int, n_all: int) -> None:
        now = perf_counter()
        passed = now - began.setdefault(what, now)
        if now - started > PATIENCE_S:
            show_status(f"{what} {_amount(what, n_done, n_all)}{_left(passed, n_done, n_all)}")

    try:
        yield progress
    finally:
        show_status("")


@contextmanager
def prompt_status(model: Model) -> Iterator[None]:
    """Show how far a long prompt is read, until it is."""
    with load_status() as show:

        def progress(what: str, n_done: int, n_all: int) -> None:
            if n_done < n_all:
                show(what, n_done, n_all)
            else:  # the reply begins
                show_status("")

        model.progress = progress
        try:
            yield
        finally:
            model.progress = None


def _amount(what: str, n_done: int, n_all: int) -> str:
    if what in IN_BYTES:
        return f"{n_done / 1e6:.1f}/{n_all / 1e6:.1f} MB"
    return f"{n_done}/{n_all}"


def _left(passed: float, n_done: int, n_all: int) -> str:
    """Say how long it will take if it goes on as so far, for what takes a while."""
    seconds = passed * (n_all - n_done) / max(n_done, 1)
    if not n_done or passed + seconds < 5:
        return ""
    return f", {seconds // 60:.0f}:{seconds % 60:02.0f} left"
