"""GGUF files: header first, then tensor by tensor, under their names once they are whole.

Pieces of tensors are made by several threads and written in order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ggjit.replacing import check_replaceable, replacing

from .arrays import Bytes
from .direct import DirectFile, direct_file
from .header import alignment_of, header
from .keys import Pair
from .written import Piece, Written

HELD = 1 << 28  # elements in pieces, such as whole experts, that are made at a time
Release = Callable[[], None]
Progress = Callable[[str, int, int], None]


def no_progress(what: str, n_done: int, n_all: int) -> None:
    """Tell nobody."""


class File(NamedTuple):
    """A file to be."""

    path: Path
    pairs: Sequence[Pair]
    tensors: Sequence[Written]


def write(files: Sequence[File], n_threads: int, progress: Progress) -> None:
    """Write a file, or a set; whatever happens, all are whole under their names or none is there.

    Raises: ValueError for values that cannot be written; OSError where the system cannot write.
    """
    n_all, n_done = sum(t.n_bytes for file in files for t in file.tensors), 0
    with ExitStack() as stack:
        for file in files:
            with direct_file(stack.enter_context(replacing(file.path))) as out:
                out.write(header(file.pairs, file.tensors))
                for n_bytes in _write_tensors(out, file, n_threads):
                    n_done += n_bytes
                    progress("writing", n_done, n_all)


def check_absent(paths: Sequence[Path], force: bool) -> None:
    """Raise ValueError if a file is there already, unless it may be written over.

    What is no file, such as a device, is never replaced by one; nor is there a file in no folder.
    """
    for path in paths:
        if path.name == "-":
            raise ValueError(f"{path} is no name for a GGUF file: none is written to a pipe")
        if not path.parent.is_dir():
            raise ValueError(f"{path}: there is no folder {path.parent}")
        check_replaceable(path)
        if path.exists() and not force:
            raise ValueError(f"{path} exists already; --force writes over it")


def check_apart(source: Path, out: Path) -> None:
    """Raise ValueError if a file would take the place of the one that it is made of."""
    if source.exists() and out.exists() and out.samefile(source):
        raise ValueError(f"{out} is the file that is read: the new one needs a name of its own")


def _write_tensors(out: DirectFile, file: File, n_threads: int) -> Iterator[int]:
    """Write the data; yield how many bytes each piece has."""
    alignment = alignment_of(file.pairs)
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[tuple[Future[Bytes], int, Release]] = deque()
        try:
            for piece, padding, release, n_most in _pieces(file.tensors, alignment):
                while len(waiting) > min(2 * n_threads, n_most):
                    yield _write_one(out, *waiting.popleft())
                waiting.append((pool.submit(piece), padding, release))
            while waiting:
                yield _write_one(out, *waiting.popleft())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _pieces(
    tensors: Sequence[Written], alignment: int
) -> Iterator[tuple[Piece, int, Release, int]]:
    """Yield pieces, each with how many bytes of padding follow it, what to do then, and how many
    others may be made meanwhile: few where they are large.
    """
    for tensor in tensors:
        *first, last = tensor.pieces
        n_most = HELD * len(tensor.pieces) // max(math.prod(tensor.shape), 1)
        yield from ((piece, 0, lambda: None, n_most) for piece in first)
        yield last, -tensor.n_bytes % alignment, tensor.release, n_most


def _write_one(out: DirectFile, piece: Future[Bytes], padding: int, release: Release) -> int:
    data = piece.result()
    out.write(data.reshape(-1).data)
    out.write(bytes(padding))
    release()
    return data.nbytes
