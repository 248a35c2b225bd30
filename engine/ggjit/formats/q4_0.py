"""Q4_0: 32 columns share a float16 scale; value = d * (q - 8), q in 0..15.

A byte holds column j in its low and column j + 16 in its high half (ggml-quants.c).
"""

import gguf
import numpy as np

from ..jit import device
from ..simd.ops import high_nibbles, join, load, low_nibbles, to_f32
from ..simd.types import f16x16, tile, u8x64
from .base import Bytes, Field, Floats, Format, IntLanes

_BYTES = tile(u8x64, 4)


def decode(blocks: Bytes) -> Floats:
    d = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    q = blocks[..., 2:]
    return d * (np.concatenate([q & 15, q >> 4], axis=-1).astype(np.float32) - np.float32(8))


@device
def scale(p, k):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    pairs = load(_BYTES, p + 32)
    return join(low_nibbles(pairs), high_nibbles(pairs))


LANES = IntLanes((Field(0, 2, 1), Field(2, 4, 4)), quants, scale, shift=3, n_bits=4)
FORMAT = Format(gguf.GGMLQuantizationType.Q4_0, decode, LANES)
