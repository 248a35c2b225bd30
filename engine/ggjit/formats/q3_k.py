"""Q3_K: every 16 of 256 columns have a scale of 6 bits; value = d * (s - 32) * (q - 4), q in 0..7.

Each 32 bytes of `qs` hold the low two bits of four runs of 32 columns; bit j of the 32 bytes of
`hmask` is the third bit of run j. Scale k has its low four bits in byte k % 8 of `scales` and its
high two in byte 8 + k % 4 (ggml-quants.c).
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import bit_field, load, put_above, splat, sub
from ..simd.types import i32x16, tile, u8x64
from .base import BlockScales, Floats, Format, Records, item
from .decoding import f32, planes
from .lanes import block_lanes, halves

BLOCK = np.dtype([("hmask", "u1", 32), ("qs", "u1", (2, 32)), ("scales", "u1", 12), ("d", "<f2")])
_EIGHT = tile(u8x64, 8)


def decode(b: Records) -> Floats:
    low, high = planes(b["scales"][:, :8], 4), planes(b["scales"][:, 8:], 2)
    s = low.reshape(-1, 16) | high.reshape(-1, 16) << 4
    d = f32(b["d"])[:, None] * (f32(s) - 32)
    q = planes(b["qs"], 2).reshape(-1, 8, 32) | planes(b["hmask"], 1) << 2
    return d[..., None] * (f32(q.reshape(-1, 16, 16)) - 4)


@device
def s(p, k):  # type: ignore[no-untyped-def]
    low = bit_field(load(i32x16, p + 32 + k // 4 % 2 * 64), 8 * (k % 4) + 4 * (k // 8), 4)
    high = bit_field(load(i32x16, p + 160), 8 * (k % 4) + 2 * (k // 4), 2)
    return sub(put_above(low, high, 4), splat(i32x16, 32))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    low = bit_field(load(_EIGHT, p + 736 + j // 4 * 512), 2 * (j % 4), 2)
    return put_above(low, bit_field(load(_EIGHT, p + 224), j, 1), 2)


FIELDS = (
    item(BLOCK, "d"), item(BLOCK, "scales", 4), item(BLOCK, "hmask", 4), item(BLOCK, "qs", 4)
)  # fmt: skip
LANES = block_lanes(FIELDS, quants, BlockScales(halves, s), shift=2, span=16, n_bits=3)
FORMAT = Format(GGMLType.Q3_K, BLOCK, decode, LANES)
