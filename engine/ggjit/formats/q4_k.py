"""Q4_K: every 32 of 256 columns have a scale and a minimum; value = d * s * q - dmin * m.

Of the three words of `scales`, bytes 0..3 of the first hold scales 0..3 and those of the second
minima 0..3, six bits each. The third has the low four bits of scale 4 + i and minimum 4 + i in byte
i; their high two are the high bits of byte i of the first and second. Each 32 bytes of `qs` hold
two runs of 32 columns in their low and high halves (ggml-quants.c).
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import bit_field, load, put_above
from ..simd.types import i32x16, tile, u8x64
from .base import BlockScales, Floats, Format, Records, item
from .decoding import f32, planes
from .lanes import NEGATIVE, block_lanes, halves, second_halves

BLOCK = np.dtype([("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", (3, 4)), ("qs", "u1", (4, 32))])
_EIGHT = tile(u8x64, 8)


def six_bits(first: Any, low: Any) -> Any:
    return np.concatenate([first & 63, low | first >> 6 << 4], axis=1)


def scales_and_minima(b: Records) -> tuple[Floats, Floats]:
    first, second, third = (b["scales"][:, i] for i in range(3))
    s, m = six_bits(first, third & 15), six_bits(second, third >> 4)
    return f32(b["d"])[:, None] * f32(s), f32(b["dmin"])[:, None] * f32(m)


def decode(b: Records) -> Floats:
    d, m = scales_and_minima(b)
    q = planes(b["qs"], 4).reshape(-1, 8, 32)
    return d[..., None] * f32(q) - m[..., None]


@device
def six_bits_at(p, i, k):  # type: ignore[no-untyped-def]
    """Scale (i = 0) or minimum (i = 1) number k."""
    word, third, at = load(i32x16, p + 64 + 64 * i), load(i32x16, p + 192), 8 * (k % 4)
    if k < 4:
        return bit_field(word, at, 6)
    return put_above(bit_field(third, at + 4 * i, 4), bit_field(word, at + 6, 2), 4)


@device
def s(p, k):  # type: ignore[no-untyped-def]
    return six_bits_at(p, 0, k)


@device
def m(p, k):  # type: ignore[no-untyped-def]
    return six_bits_at(p, 1, k)


@device
def nibbles_at(p, j):  # type: ignore[no-untyped-def]
    """Run j of those that lie in turn in the low and high halves of 32 bytes."""
    return bit_field(load(_EIGHT, p + j // 2 * 512), 4 * (j % 2), 4)


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return nibbles_at(p + 256, j)


FIELDS = (
    item(BLOCK, "d"), item(BLOCK, "dmin", flip=NEGATIVE), item(BLOCK, "scales", 4),
    item(BLOCK, "qs", 4),
)  # fmt: skip
SCALES = BlockScales(halves, s, second_halves, m)
LANES = block_lanes(FIELDS, quants, SCALES, n_bits=4)
FORMAT = Format(GGMLType.Q4_K, BLOCK, decode, LANES)
