"""A tensor on its way into a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ggjit.gguf import GGMLType, Tensor

from .arrays import Bytes
from .sources.files import forget_pages

Piece = Callable[[], Bytes]
COPIED = 1 << 24  # bytes at a time


@dataclass(frozen=True, eq=False)
class Written:
    """What the table says of a tensor, and its bytes in pieces, each made when it is called for.

    `release` is called when all are written.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLType
    n_bytes: int
    pieces: Sequence[Piece]
    release: Callable[[], None] = lambda: None


def copied(tensor: Tensor) -> Written:
    """Return a tensor of a GGUF file as it is."""
    made = of_bytes(tensor.name, tensor.shape, tensor.type, tensor.data)
    return replace(made, release=partial(forget_pages, tensor.data))


def floats(name: str, values: np.ndarray) -> Written:
    """Return an array as a tensor of float32."""
    data = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint8)
    return of_bytes(name, values.shape, GGMLType.F32, data)


def of_bytes(name: str, shape: tuple[int, ...], type: GGMLType, data: Bytes) -> Written:
    """Return a tensor whose bytes are there."""
    starts = range(0, max(data.nbytes, 1), COPIED)
    pieces = [_piece(data, start) for start in starts]
    return Written(name, shape, type, data.nbytes, pieces)


def _piece(data: Bytes, start: int) -> Piece:
    return lambda: data[start : start + COPIED]
