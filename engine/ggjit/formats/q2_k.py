"""Q2_K: every 16 of 256 columns have a scale and a minimum; value = d * s * q - dmin * m.

Both are four bits. Each 32 bytes of `qs` hold four runs of 32 columns (ggml-quants.c).
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import bit_field, load, to_i32
from ..simd.types import tile, u8x16, u8x64
from .base import BlockScales, Floats, Format, Records, item
from .decoding import f32, planes
from .lanes import NEGATIVE, block_lanes, halves, second_halves

BLOCK = np.dtype([("scales", "u1", 16), ("qs", "u1", (2, 32)), ("d", "<f2"), ("dmin", "<f2")])
_EIGHT = tile(u8x64, 8)


def decode(b: Records) -> Floats:
    d = f32(b["d"])[:, None] * f32(b["scales"] & 15)
    m = f32(b["dmin"])[:, None] * f32(b["scales"] >> 4)
    q = planes(b["qs"], 2).reshape(-1, 16, 16)
    return d[..., None] * f32(q) - m[..., None]


@device
def s(p, k):  # type: ignore[no-untyped-def]
    return bit_field(to_i32(load(u8x16, p + 64 + 16 * k)), 0, 4)


@device
def m(p, k):  # type: ignore[no-untyped-def]
    return bit_field(to_i32(load(u8x16, p + 64 + 16 * k)), 4, 4)


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return bit_field(load(_EIGHT, p + 320 + j // 4 * 512), 2 * (j % 4), 2)


FIELDS = (
    item(BLOCK, "d"), item(BLOCK, "dmin", flip=NEGATIVE), item(BLOCK, "scales", 1),
    item(BLOCK, "qs", 4),
)  # fmt: skip
SCALES = BlockScales(halves, s, second_halves, m)
LANES = block_lanes(FIELDS, quants, SCALES, span=16, n_bits=2)
FORMAT = Format(GGMLType.Q2_K, BLOCK, decode, LANES)
