"""From float32 rows to the blocks of a GGML type: one file a type, `encode` for all of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from ggjit.formats import Format, all_formats
from ggjit.gguf import GGMLType

from ..arrays import Bytes, Floats
from .encoder import Encoder, too_large
from .floats import FLOATS, encode_floats

__all__ = ["FLOATS", "encodable", "encode", "find_type"]


def encodable(type: GGMLType) -> bool:
    """Tell whether weights can be made of a type."""
    return type in FLOATS or find_spec(f"{__name__}.{type.name.lower()}") is not None


def find_type(name: str) -> GGMLType:
    """Return a type that weights can be made of. Raises: ValueError naming all of them."""
    known = [type.name for type in GGMLType if encodable(type)]
    if name.upper() not in known:
        raise ValueError(f"type {name!r} is none of {', '.join(known).lower()}")
    return GGMLType[name.upper()]


def encode(type: GGMLType, rows: Floats, importance: Floats | None, n_threads: int) -> Bytes:
    """Encode rows, by columns' importance (of squared activations) where it is given.

    Shapes: rows [n_rows, n_columns], importance [n_columns]; returns [n_rows, row bytes].
    Raises: ValueError for a type that cannot be made, for columns that are no whole blocks, and for
    a row with a value that the type cannot hold.
    """
    if not encodable(type):
        raise ValueError(f"weights cannot be made {type.name}")
    rows = np.ascontiguousarray(rows, np.float32)
    n_rows, n_columns = rows.shape
    if n_columns % type.n_columns:
        blocks = f"blocks of {type.n_columns} columns"
        raise ValueError(f"{n_columns} columns cannot be {type.name}, which has {blocks}")
    if not n_rows or not n_columns:
        return np.empty((n_rows, n_columns // type.n_columns * type.n_bytes), np.uint8)
    if type in FLOATS:
        return encode_floats(type, rows, n_threads)
    weights = None if importance is None else _weights(importance, n_columns)
    made = _encoder(type).encode(rows, weights, n_threads)
    _expect_finite(all_formats()[type], made)
    return made


@cache
def _encoder(type: GGMLType) -> Encoder:
    found: Encoder = import_module(f"{__name__}.{type.name.lower()}").ENCODER
    return found


def _weights(importance: Floats, n_columns: int) -> Floats | None:
    """Return importance with a mean of 1, so that sums neither overflow nor vanish."""
    if importance.shape != (n_columns,):
        raise ValueError(f"importance has shape {importance.shape}, not ({n_columns},)")
    for i in np.flatnonzero(~(importance >= 0) | np.isinf(importance))[:1]:
        raise ValueError(f"importance of column {i} is {importance[i]}")
    mean = importance.mean(dtype=np.float64)
    return (importance / mean).astype(np.float32) if mean > 0 else None


def _expect_finite(fmt: Format, rows: Bytes) -> None:
    if not fmt.finite(rows.reshape(-1, fmt.n_bytes)):
        bad = next(i for i, row in enumerate(rows) if not fmt.finite(row.reshape(-1, fmt.n_bytes)))
        raise too_large(fmt.type, bad)
