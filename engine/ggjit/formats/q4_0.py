"""Q4_0: 32 columns share a float16 scale; value = d * (q - 8), q in 0..15.

A byte holds column j in its low and column j + 16 in its high half (ggml-quants.c).
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from .base import Floats, Format, IntLanes, Records, item
from .decoding import f32, planes
from .lanes import front_scale, nibbles

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 16)])


def decode(b: Records) -> Floats:
    q = planes(b["qs"], 4).reshape(-1, 32)
    return f32(b["d"])[:, None] * (f32(q) - 8)


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return nibbles(p + 32)


FIELDS = (item(BLOCK, "d"), item(BLOCK, "qs", 4))
LANES = IntLanes(FIELDS, quants, front_scale, shift=3, n_bits=4)
FORMAT = Format(GGMLType.Q4_0, BLOCK, decode, LANES)
