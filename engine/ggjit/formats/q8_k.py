"""Q8_K: 256 columns share a float32 scale; value = d * q, q in -128..127.

The sums of every 16 quants that GGML stores behind them are left out when packed.
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import load
from ..simd.types import f32x16, tile, u8x64
from . import q8_0
from .base import Bytes, Format, IntLanes, Records, item
from .decoding import side_by_side

BLOCK = np.dtype([("d", "<f4"), ("qs", "i1", 256), ("bsums", "<i2", 16)])
_EIGHT = tile(u8x64, 8)


def relay(b: Records) -> Bytes:
    return side_by_side(b["d"], b["qs"])


@device
def scale(p, k):  # type: ignore[no-untyped-def]
    return load(f32x16, p)


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return load(_EIGHT, p + 64 + 512 * j)


FIELDS = (item(BLOCK, "d"), item(BLOCK, "qs", 4, flip=q8_0.SIGNS))
LANES = IntLanes(FIELDS, quants, scale, shift=7)
FORMAT = Format(GGMLType.Q8_K, BLOCK, q8_0.decode, LANES, relay)
