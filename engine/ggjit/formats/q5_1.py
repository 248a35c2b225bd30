"""Q5_1: 32 columns share a float16 scale and minimum; value = d * q + m, q in 0..31 as in Q5_0."""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from .base import Floats, Format, IntLanes, Records, item
from .decoding import f32
from .lanes import front_scale
from .q4_1 import minimum
from .q5_0 import five_bits, five_bits_at

BLOCK = np.dtype([("d", "<f2"), ("m", "<f2"), ("qh", "u1", 4), ("qs", "u1", 16)])


def decode(b: Records) -> Floats:
    return f32(b["d"])[:, None] * f32(five_bits(b)) + f32(b["m"])[:, None]


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return five_bits_at(p + 64)


FIELDS = (item(BLOCK, "d"), item(BLOCK, "m"), item(BLOCK, "qh", 4), item(BLOCK, "qs", 4))
LANES = IntLanes(FIELDS, quants, front_scale, minimum, n_bits=5)
FORMAT = Format(GGMLType.Q5_1, BLOCK, decode, LANES)
