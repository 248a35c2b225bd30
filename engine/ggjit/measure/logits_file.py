"""Predictions kept in a file, as llama-perplexity's --kl-divergence-base reads and writes them.

"_logits_", then n_context, n_vocab, n_windows and the token ids [n_windows, n_context] as int32;
then for each scored position two float32, `scale` and `least`, and n_vocab (rounded up to even)
uint16 q: log probability = scale * q + least, where `least` is that of the unlikeliest token, at
most 16 below the likeliest. Source: llama.cpp tools/perplexity/perplexity.cpp.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ..backends import Float32
from ..replacing import replacing

MAGIC = b"_logits_"
HEADER = struct.Struct("<8s3i")
DEPTH = 16  # nats that a row reaches down from its likeliest token
N_STEPS = 65535

Ids = npt.NDArray[np.int32]
Rows = npt.NDArray[np.uint16]


def n_scored(size: int) -> int:
    """Return how many positions of a window of `size` tokens are scored: its second half."""
    return size - size // 2 - 1


class LogitsFile:
    """A file's windows of token ids [n, size] and the log probabilities after them."""

    def __init__(self, path: str | Path) -> None:
        """Open it. Raises: ValueError for anything but a whole file of this kind, OSError."""
        self.path = Path(path)
        with self.path.open("rb") as file:
            header = file.read(HEADER.size)
            if len(header) < HEADER.size or not header.startswith(MAGIC):
                raise ValueError(f"{path} is no file of logits: it does not begin with _logits_")
            size, n_vocab, n = HEADER.unpack(header)[1:]
            self.n_vocab: int = n_vocab
            self._check_size(size, n)
            self.ids: Ids = np.fromfile(file, "<i4", n * size).reshape(n, size)
        if self.ids.min() < 0 or self.ids.max() >= self.n_vocab:
            raise ValueError(f"{path}: a token id is not in 0 to {self.n_vocab - 1}")
        shape = (n, n_scored(size), _row_width(self.n_vocab))
        offset = HEADER.size + self.ids.nbytes
        self._rows: Rows = np.memmap(path, "<u2", "r", offset, shape)

    def _check_size(self, size: int, n: int) -> None:
        if not (size > 2 and self.n_vocab > 0 and n > 0):
            windows = f"{n} windows of {size} tokens out of {self.n_vocab}"
            raise ValueError(f"{self.path}: {windows} make no sense")
        n_bytes = HEADER.size + n * (4 * size + 2 * n_scored(size) * _row_width(self.n_vocab))
        if (found := self.path.stat().st_size) != n_bytes:
            raise ValueError(f"{self.path} has {found} bytes, its header asks for {n_bytes}")

    def log_probs(self, window: int, first: int, n: int) -> Float32:
        """Return those after `n` positions of a window, scored ones counted from 0: [n, n_vocab].

        Raises: ValueError if they are not finite.
        """
        rows = self._rows[window, first : first + n]
        scale, least = np.ascontiguousarray(rows[:, :4]).view("<f4").T
        if not np.isfinite(scale * N_STEPS + least).all():
            raise ValueError(f"{self.path}: window {window} has values that are not finite")
        return rows[:, 4 : 4 + self.n_vocab] * scale[:, None] + least[:, None]


class LogitsWriter:
    """Writes such a file; it appears, whole, when the last window has been added."""

    def __init__(self, path: str | Path, ids: Ids, n_vocab: int) -> None:
        self._path, self._ids, self._n_vocab = Path(path), ids, n_vocab

    def add(self, logits: Float32) -> None:
        """Append the logits of the next scored positions, [n, n_vocab]."""
        rows = np.zeros((len(logits), _row_width(self._n_vocab)), "<u2")
        most = logits.max(-1, keepdims=True)
        least = np.maximum(logits.min(-1, keepdims=True), most - np.float32(DEPTH))
        scale = (most - least) / np.float32(N_STEPS)
        log_sum = most + np.log(np.exp(logits - most).sum(-1, keepdims=True, dtype=np.float64))
        rows[:, :4] = np.hstack([scale, least - log_sum]).astype("<f4").view("<u2")
        steps = (logits - least) * (1 / np.where(scale > 0, scale, 1))
        rows[:, 4 : 4 + self._n_vocab] = np.rint(np.maximum(steps, 0))
        self._file.write(rows.tobytes())

    def __enter__(self) -> LogitsWriter:
        n, size = self._ids.shape
        with ExitStack() as stack:
            part = stack.enter_context(replacing(self._path))
            self._file = stack.enter_context(part.open("wb"))
            self._file.write(HEADER.pack(MAGIC, size, self._n_vocab, n))
            self._file.write(self._ids.astype("<i4").tobytes())
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)


def _row_width(n_vocab: int) -> int:
    return 4 + n_vocab + n_vocab % 2
