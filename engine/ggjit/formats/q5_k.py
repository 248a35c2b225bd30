"""Q5_K: Q4_K with fifth bits: bit j of the 32 bytes of `qh` is that of run j (ggml-quants.c)."""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import bit_field, load, put_above
from ..simd.types import tile, u8x64
from .base import Floats, Format, Records, item
from .decoding import f32, planes
from .lanes import NEGATIVE, block_lanes
from .q4_k import SCALES, nibbles_at, scales_and_minima

BLOCK = np.dtype(
    [
        *(("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", (3, 4))),
        *(("qh", "u1", 32), ("qs", "u1", (4, 32))),
    ]
)
_EIGHT = tile(u8x64, 8)


def decode(b: Records) -> Floats:
    d, m = scales_and_minima(b)
    q = planes(b["qs"], 4).reshape(-1, 8, 32) | planes(b["qh"], 1) << 4
    return d[..., None] * f32(q) - m[..., None]


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return put_above(nibbles_at(p + 768, j), bit_field(load(_EIGHT, p + 256), j, 1), 4)


FIELDS = (
    item(BLOCK, "d"), item(BLOCK, "dmin", flip=NEGATIVE), item(BLOCK, "scales", 4),
    item(BLOCK, "qh", 4), item(BLOCK, "qs", 4),
)  # fmt: skip
LANES = block_lanes(FIELDS, quants, SCALES, n_bits=5)
FORMAT = Format(GGMLType.Q5_K, BLOCK, decode, LANES)
