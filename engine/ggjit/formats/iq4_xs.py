"""IQ4_XS: eight runs of IQ4_NL with scales of 6 bits; value = d * (s - 32) * table[q].

The low four bits of the scales are in turn in `scales_l`, the high two in `scales_h`.
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import bit_field, load, put_above, splat, sub, to_i32
from ..simd.types import i32x16, u16x16
from .base import BlockScales, Floats, Format, Records, item
from .decoding import f32, in_turn, planes
from .iq4_nl import VALUES, look_up
from .lanes import block_lanes, halves, nibbles

BLOCK = np.dtype(
    [("d", "<f2"), ("scales_h", "u1", 2), ("scales_l", "u1", 4), ("qs", "u1", (8, 16))]
)


def decode(b: Records) -> Floats:
    s = in_turn(b["scales_l"], 4) | in_turn(b["scales_h"], 2) << 4
    d = f32(b["d"])[:, None] * (f32(s) - 32)
    return d[..., None] * VALUES[planes(b["qs"], 4).reshape(-1, 8, 32)]


@device
def s(p, k):  # type: ignore[no-untyped-def]
    low = bit_field(load(i32x16, p + 64), 4 * k, 4)
    high = bit_field(to_i32(load(u16x16, p + 32)), 2 * k, 2)
    return sub(put_above(low, high, 4), splat(i32x16, 32))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return look_up(nibbles(p + 128 + 256 * j))


FIELDS = (
    item(BLOCK, "d"), item(BLOCK, "scales_h", 2), item(BLOCK, "scales_l", 4), item(BLOCK, "qs", 4)
)  # fmt: skip
LANES = block_lanes(FIELDS, quants, BlockScales(halves, s), shift=7)
FORMAT = Format(GGMLType.IQ4_XS, BLOCK, decode, LANES)
