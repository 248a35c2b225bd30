"""Q4_1: 32 columns share a float16 scale and minimum; value = d * q + m, q in 0..15."""

import gguf
import numpy as np

from ..jit import device
from ..simd.ops import high_nibbles, join, load, low_nibbles, to_f32
from ..simd.types import f16x16, tile, u8x64
from .base import Bytes, Field, Floats, Format, IntLanes

_BYTES = tile(u8x64, 4)


def decode(blocks: Bytes) -> Floats:
    half = np.ascontiguousarray(blocks[..., :4]).view(np.float16).astype(np.float32)
    q = blocks[..., 4:]
    values = np.concatenate([q & 15, q >> 4], axis=-1).astype(np.float32)
    return half[..., :1] * values + half[..., 1:]


@device
def scale(p, k):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p))


@device
def minimum(p, k):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p + 32))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    pairs = load(_BYTES, p + 64)
    return join(low_nibbles(pairs), high_nibbles(pairs))


LANES = IntLanes((Field(0, 2, 2), Field(4, 4, 4)), quants, scale, minimum, n_bits=4)
FORMAT = Format(gguf.GGMLQuantizationType.Q4_1, decode, LANES)
