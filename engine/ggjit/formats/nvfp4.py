"""NVFP4: every 16 of 64 columns of 4-bit floats share an 8-bit float; value = d * table[q].

`d` has four bits of exponent, three of mantissa and no sign; it is halved, for the table is that of
MXFP4. 127 counts as zero (ggml-impl.h). Byte i of 8 holds columns i and i + 8.
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import (
    absolute,
    bit_field,
    bits,
    high_nibbles,
    join,
    load,
    low_nibbles,
    mul,
    shift_left,
    splat,
    sub,
    to_f32,
    to_i32,
    where_less,
    zeros,
)
from ..simd.types import f32x16, tile, u8x16, u8x64
from .base import Floats, Format, IntLanes, Records, item
from .decoding import planes
from .mxfp4 import VALUES, look_up

BLOCK = np.dtype([("d", "u1", 4), ("qs", "u1", (4, 8))])
FIELDS = (item(BLOCK, "d", 1), item(BLOCK, "qs", 4))
BIAS = 2.0**119  # a float32 with these bits of exponent and mantissa is too small by that
_TWO = tile(u8x64, 2)


def decode(b: Records) -> Floats:
    bits = (b["d"] & 127).astype(np.uint32) << 20
    d = np.where(b["d"] == 127, np.float32(0), bits.view(np.float32) * np.float32(BIAS))
    return d[..., None] * VALUES[planes(b["qs"], 4).reshape(-1, 4, 16)]


@device
def scale(p, k):  # type: ignore[no-untyped-def]
    d = to_i32(load(u8x16, p + 16 * k))
    small = bits(f32x16, shift_left(bit_field(d, 0, 7), 20))
    apart = absolute(sub(to_f32(d), splat(f32x16, 127.0)))
    value = mul(small, splat(f32x16, BIAS))
    return where_less(apart, splat(f32x16, 0.5), zeros(f32x16), value)


@device
def sixteen(p):  # type: ignore[no-untyped-def]
    pairs = load(_TWO, p)
    return join(low_nibbles(pairs), high_nibbles(pairs))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    start = p + 64 + 256 * j
    return look_up(join(sixteen(start), sixteen(start + 128)))


LANES = IntLanes(FIELDS, quants, scale, shift=4, span=16, n_bits=5)
FORMAT = Format(GGMLType.NVFP4, BLOCK, decode, LANES)
