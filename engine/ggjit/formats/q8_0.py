"""Q8_0: 32 columns share a float16 scale; value = d * q, q in -128..127.

Packed quants have their sign bit flipped: the int8 dot wants one side unsigned.
"""

import gguf
import numpy as np

from ..jit import device
from ..simd.ops import load, to_f32
from ..simd.types import f16x16, tile, u8x64
from .base import Bytes, Field, Floats, Format, IntLanes

_BYTES = tile(u8x64, 8)


def decode(blocks: Bytes) -> Floats:
    d = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    return d * blocks[..., 2:].view(np.int8).astype(np.float32)


@device
def scale(p, k):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return load(_BYTES, p + 32)


LANES = IntLanes((Field(0, 2, 1), Field(2, 4, 8, flip=0x80808080)), quants, scale, shift=7)
FORMAT = Format(gguf.GGMLQuantizationType.Q8_0, decode, LANES)
