"""A progress bar on a terminal, nothing at all elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(what: str, n_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of `n_bytes` on stderr; yields a function that takes the bytes done so far."""
    if not sys.stderr.isatty():
        yield lambda n_done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=n_bytes)
        yield lambda n_done: progress.update(task, completed=min(n_done, n_bytes))
