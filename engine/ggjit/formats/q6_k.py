"""Q6_K: every 16 of 256 columns have a scale of 8 bits; value = d * s * (q - 32), q in 0..63.

Each 64 bytes of `ql` hold four runs of 32 columns, two in the low and two in the high halves; the
high two bits of these runs are in 32 bytes of `qh` (ggml-quants.c).
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import bit_field, load, put_above, to_i32
from ..simd.types import i8x16, tile, u8x64
from .base import BlockScales, Floats, Format, Records, item
from .decoding import f32, planes
from .lanes import block_lanes, halves

BLOCK = np.dtype([("ql", "u1", (2, 64)), ("qh", "u1", (2, 32)), ("scales", "i1", 16), ("d", "<f2")])
_EIGHT = tile(u8x64, 8)


def decode(b: Records) -> Floats:
    d = f32(b["d"])[:, None] * f32(b["scales"])
    q = planes(b["ql"], 4).reshape(-1, 8, 32) | planes(b["qh"], 2).reshape(-1, 8, 32) << 4
    return d[..., None] * (f32(q.reshape(-1, 16, 16)) - 32)


@device
def s(p, k):  # type: ignore[no-untyped-def]
    return to_i32(load(i8x16, p + 32 + 16 * k))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    n, c = j // 4, j % 4
    low = bit_field(load(_EIGHT, p + 288 + 1024 * n + c % 2 * 512), c // 2 * 4, 4)
    return put_above(low, bit_field(load(_EIGHT, p + 2336 + 512 * n), 2 * c, 2), 4)


FIELDS = (item(BLOCK, "d"), item(BLOCK, "scales", 1), item(BLOCK, "ql", 4), item(BLOCK, "qh", 4))
LANES = block_lanes(FIELDS, quants, BlockScales(halves, s), shift=5, span=16, n_bits=6)
FORMAT = Format(GGMLType.Q6_K, BLOCK, decode, LANES)
