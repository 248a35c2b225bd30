"""TQ1_0: 256 columns of -1, 0 and 1 share a float16 scale; value = d * (t - 1).

A byte holds five columns in base 3, scaled so that its high bits are the first: multiplied by 3**i
and 3, digit i is what overflows (ggml-quants.c).
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Bytes, Records
from .relaid import as_nibbles

BLOCK = np.dtype([("qs", "u1", 48), ("qh", "u1", 4), ("d", "<f2")])


def digits(q: Bytes, n: int) -> Any:
    """Shapes: [..., bytes] to [..., n * bytes], the first of every byte first."""
    powers = np.array([1, 3, 9, 27, 81], np.uint8)[:n, None]
    first = (q[:, None] * powers).astype(np.uint16) * 3 >> 8
    return first.astype(np.uint8).reshape(len(q), n * q.shape[1])


def codes(b: Records) -> Any:
    q = b["qs"]
    parts = digits(q[:, :32], 5), digits(q[:, 32:], 5), digits(b["qh"], 4)
    return np.concatenate(parts, axis=1) + np.uint8(7)


FORMAT = as_nibbles(GGMLType.TQ1_0, BLOCK, codes)
