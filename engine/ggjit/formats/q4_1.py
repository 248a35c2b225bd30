"""Q4_1: 32 columns share a float16 scale and minimum; value = d * q + m, q in 0..15."""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from .base import Floats, Format, IntLanes, Records, item
from .decoding import f32, planes
from .lanes import front_scale, halves, nibbles

BLOCK = np.dtype([("d", "<f2"), ("m", "<f2"), ("qs", "u1", 16)])


def decode(b: Records) -> Floats:
    q = planes(b["qs"], 4).reshape(-1, 32)
    return f32(b["d"])[:, None] * f32(q) + f32(b["m"])[:, None]


@device
def minimum(p, k):  # type: ignore[no-untyped-def]
    return halves(p + 32)


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return nibbles(p + 64)


FIELDS = (item(BLOCK, "d"), item(BLOCK, "m"), item(BLOCK, "qs", 4))
LANES = IntLanes(FIELDS, quants, front_scale, minimum, n_bits=4)
FORMAT = Format(GGMLType.Q4_1, BLOCK, decode, LANES)
