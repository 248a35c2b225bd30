"""Q5_0: 32 columns share a float16 scale; value = d * (q - 16), q in 0..31.

The low four bits are laid out as in Q4_0; bit j of `qh` is the fifth of column j (ggml-quants.c).
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import add, load, spread_bits
from ..simd.types import i32x16
from .base import Floats, Format, IntLanes, Records, item
from .decoding import f32, in_turn, planes
from .lanes import front_scale, nibbles

BLOCK = np.dtype([("d", "<f2"), ("qh", "u1", 4), ("qs", "u1", 16)])


def five_bits(b: Records) -> Any:
    return planes(b["qs"], 4).reshape(-1, 32) | in_turn(b["qh"], 1) << 4


def decode(b: Records) -> Floats:
    return f32(b["d"])[:, None] * (f32(five_bits(b)) - 16)


@device
def five_bits_at(p):  # type: ignore[no-untyped-def]
    """Fifth bits and, behind them, the low ones."""
    return add(nibbles(p + 64), spread_bits(load(i32x16, p)))


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return five_bits_at(p + 32)


FIELDS = (item(BLOCK, "d"), item(BLOCK, "qh", 4), item(BLOCK, "qs", 4))
LANES = IntLanes(FIELDS, quants, front_scale, shift=4, n_bits=5)
FORMAT = Format(GGMLType.Q5_0, BLOCK, decode, LANES)
