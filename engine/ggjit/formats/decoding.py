"""What decoders are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .base import Bytes, Floats

Array = npt.NDArray[Any]


def f32(x: Array) -> Floats:
    return x.astype(np.float32)


def planes(q: Bytes, n_bits: int) -> Bytes:
    """Take bytes apart, low bits first. Shapes: [..., n] to [..., 8 / n_bits, n]."""
    low = np.arange(0, 8, n_bits, dtype=np.uint8)[:, None]
    return (q[..., None, :] >> low) & np.uint8((1 << n_bits) - 1)


def in_turn(q: Bytes, n_bits: int) -> Bytes:
    """Take bytes apart one by one, low bits first. Shapes: [..., n] to [..., n * 8 / n_bits]."""
    n = q.shape[-1] * 8 // n_bits
    return planes(q[..., None], n_bits).reshape(*q.shape[:-1], n)


def side_by_side(*items: Array) -> Bytes:
    """Join the bytes of items. Shapes: each [n, ...]; returns [n, bytes]."""
    flat = [np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8) for x in items]
    return np.concatenate(flat, axis=1)
