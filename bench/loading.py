"""How fast models load, beside a plain read of their files that is not in the system's cache.

    python bench/loading.py FILE [FILE ...] [--rounds 5]

In one process, whose modules are imported and whose kernels are compiled, plain reads and loads of
the file take turns, each after the file has left the system's cache; then it is loaded from the
cache, and once a round in a process of its own, imports included. Figures are the least of the
rounds, in seconds; Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import ggjit
from ggjit.gguf import open_gguf
from ggjit.text import Tokenizer

PIECE = 1 << 20  # bytes of a plain read
FRESH = """
from time import perf_counter; start = perf_counter()
import sys, ggjit
ggjit.load(sys.argv[1]); print(perf_counter() - start)
"""
COLUMNS = (
    "file", "GB", "plain read", "load", "share", "from the cache", "new process", "open",
    "vocabulary",
)  # fmt: skip


def main() -> None:
    """Read the command line, measure, print."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + " --- |" + " ---: |" * (len(COLUMNS) - 1))
    for path in args.files:
        print(row(path, args.rounds), flush=True)


def row(path: Path, rounds: int) -> str:
    """Return a file's line of the table."""
    load(path)  # imports, and compiles what is missing
    cold = [(timed(read, path, cold=True), timed(load, path, cold=True)) for _ in range(rounds)]
    plain, loaded = (min(times) for times in zip(*cold, strict=True))
    warm = min(timed(load, path) for _ in range(rounds))
    fresh = min(in_new_process(path) for _ in range(rounds))
    opened = min(timed(open_and_close, path) for _ in range(rounds))
    vocabulary = min(vocabulary_s(path) for _ in range(rounds))
    seconds = " | ".join(f"{s:.2f}" for s in (warm, fresh, opened, vocabulary))
    size = path.stat().st_size / 1e9
    share = f"{100 * plain / loaded:.0f}%"
    return f"| {path.stem} | {size:.2f} | {plain:.2f} | {loaded:.2f} | {share} | {seconds} |"


def timed(run: Callable[[Path], None], path: Path, cold: bool = False) -> float:
    """Return seconds; `cold` lets the file leave the system's cache before."""
    if cold:
        forget(path)
    start = perf_counter()
    run(path)
    return perf_counter() - start


def forget(path: Path) -> None:
    """Take a file that nobody maps out of the system's cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path: Path) -> None:
    """Read a file, keeping nothing."""
    piece = bytearray(PIECE)
    with path.open("rb", buffering=0) as file:
        while file.readinto(piece):
            pass


def load(path: Path) -> None:
    """Load a model and let go of it."""
    ggjit.load(path).close()


def open_and_close(path: Path) -> None:
    """Read a file's head."""
    open_gguf(path).close()


def vocabulary_s(path: Path) -> float:
    """Return how long the tokenizer takes to build."""
    with open_gguf(path) as file:
        start = perf_counter()
        Tokenizer.from_gguf(file)
        return perf_counter() - start


def in_new_process(path: Path) -> float:
    """Return how long a new process takes from its first import to a loaded model."""
    forget(path)
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(path)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
