"""Tensors encoded for a file: rows are read, checked and encoded a few at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from .arrays import Bytes, Floats, forget
from .plan import Planned
from .quantize import FLOATS, encode
from .written import Written

PIECE = 1 << 20  # elements that are read at a time: a cache holds them


def encoded(planned: Planned) -> Written:
    """Return a tensor of a plan, to be written.

    Its pieces raise ValueError for values that are not finite.
    """
    pieces = [partial(_encoded, planned, start, stop) for start, stop in bounds(planned.shape)]
    release = partial(forget, planned.source)
    return Written(planned.name, planned.shape, planned.type, planned.n_bytes, pieces, release)


def bounds(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield parts of the first axis; a tensor without elements has one."""
    elements = max(math.prod(shape[1:]), 1)
    step = max(PIECE // elements, 1)
    for start in range(0, max(shape[0], 1), step):
        yield start, min(start + step, shape[0])


def _encoded(planned: Planned, start: int, stop: int) -> Bytes:
    source = planned.source
    if source.type == planned.type and (source.type.n_columns > 1 or source.type not in FLOATS):
        return source.blocks(start, stop)  # as it is
    rows = source.rows(start, stop).reshape(-1, planned.shape[-1] if planned.shape[1:] else stop)
    rows = np.ascontiguousarray(rows)
    _check(planned, rows, start)
    try:
        return _encode(planned, rows, start, stop)
    except ValueError as error:
        raise ValueError(f"tensor {planned.name!r}: {error}") from None


def _encode(planned: Planned, rows: Floats, start: int, stop: int) -> Bytes:
    means = planned.importance
    if means is None or len(means) == 1:
        return encode(planned.type, rows, None if means is None else means[0], 1)
    parts = np.split(rows, stop - start)  # one for each matrix of a stack
    pairs = zip(parts, means[start:stop], strict=True)
    return np.concatenate([encode(planned.type, part, mean, 1) for part, mean in pairs])


def _check(planned: Planned, rows: Floats, start: int) -> None:
    """Raise ValueError naming the place of a value that is not finite."""
    if np.isfinite(rows).all():
        return
    at = int(np.flatnonzero(~np.isfinite(rows.reshape(-1)))[0])
    whole = at + start * math.prod(planned.shape[1:])
    index = [int(i) for i in np.unravel_index(whole, planned.shape)]
    raise ValueError(f"tensor {planned.source.name!r} is {rows.reshape(-1)[at]} at {index}")
