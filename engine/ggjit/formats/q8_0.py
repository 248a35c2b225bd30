"""Q8_0: 32 columns share a float16 scale; value = d * q, q in -128..127.

Packed quants have their sign bit flipped: the int8 dot wants one side unsigned.
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import load
from ..simd.types import tile, u8x64
from .base import Floats, Format, IntLanes, Records, item
from .decoding import f32
from .lanes import front_scale

BLOCK = np.dtype([("d", "<f2"), ("qs", "i1", 32)])
SIGNS = 0x80808080
_EIGHT = tile(u8x64, 8)


def decode(b: Records) -> Floats:
    return f32(b["d"])[:, None] * f32(b["qs"])


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return load(_EIGHT, p + 32)


LANES = IntLanes((item(BLOCK, "d"), item(BLOCK, "qs", 4, flip=SIGNS)), quants, front_scale, shift=7)
FORMAT = Format(GGMLType.Q8_0, BLOCK, decode, LANES)
