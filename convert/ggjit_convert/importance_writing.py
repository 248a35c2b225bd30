"""Importance matrices to files, in llama.cpp's GGUF format and in its older one (tools/imatrix)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ggjit.replacing import replacing

from .collecting import Collected
from .importance import COUNTS, SUMS
from .keys import Typed, pair
from .writing import File, no_progress, write
from .written import Written, floats


def write_gguf(path: Path, collected: Collected) -> None:
    """Write sums and counts, by tensor; an axis of one matrix is left out, as ggml does."""
    pairs = [
        pair("general.type", "imatrix"),
        pair("imatrix.datasets", Typed([collected.text], "arr[str]")),
        pair("imatrix.chunk_count", collected.n_windows),
        pair("imatrix.chunk_size", collected.window),
    ]
    tensors: list[Written] = []
    for name, of in sorted(collected.sums.items()):
        one = len(of.n_rows) == 1
        tensors += [
            floats(name + SUMS, of.squares[0] if one else of.squares),
            floats(name + COUNTS, of.n_rows if one else of.n_rows[:, None]),
        ]
    write([File(path, pairs, tensors)], 1, no_progress)


def write_old(path: Path, collected: Collected) -> None:
    """Write means, times a number of windows; of experts that no token chose, 1."""
    seen = {name: of for name, of in sorted(collected.sums.items()) if of.n_rows.any()}
    text = collected.text.encode()
    with replacing(path) as temporary, temporary.open("wb") as out:
        out.write(struct.pack("<i", len(seen)))
        for name, of in seen.items():
            n_calls = -int(-of.n_rows.max() // collected.window)
            rows = of.n_rows[:, None]
            means = np.where(rows > 0, of.squares / np.maximum(rows, 1), np.float32(1))
            out.write(struct.pack("<i", len(name.encode())) + name.encode())
            out.write(struct.pack("<ii", n_calls, means.size))
            out.write((means * np.float32(n_calls)).astype("<f4").tobytes())
        out.write(struct.pack("<ii", collected.n_windows, len(text)) + text)
