"""IQ4_NL: Q4_0 with a table instead of q - 8: value = d * table[q]. Source: ggml-common.h."""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.lookup import lookup
from .base import Floats, Format, IntLanes, Records, item
from .decoding import f32, planes
from .lanes import front_scale, nibbles

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 16)])
TABLE = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
VALUES = np.array(TABLE, np.float32)

look_up = lookup(tuple(v + 128 for v in TABLE))


def decode(b: Records) -> Floats:
    q = planes(b["qs"], 4).reshape(-1, 32)
    return f32(b["d"])[:, None] * VALUES[q]


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return look_up(nibbles(p + 32))


LANES = IntLanes((item(BLOCK, "d"), item(BLOCK, "qs", 4)), quants, front_scale, shift=7)
FORMAT = Format(GGMLType.IQ4_NL, BLOCK, decode, LANES)
