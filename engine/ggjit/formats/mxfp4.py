"""MXFP4: 32 columns of 4-bit floats share an exponent; value = 2**(e - 128) * table[q].

The table has the floats of the OCP microscaling format doubled, which are integers.
"""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.lookup import lookup
from ..simd.ops import add, bits, load, maximum, shift_left, splat, sub, to_i32
from ..simd.types import f32x16, i32x16, u8x16
from .base import Floats, Format, IntLanes, Records, item
from .decoding import planes
from .lanes import nibbles

BLOCK = np.dtype([("e", "u1"), ("qs", "u1", 16)])
TABLE = (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)
VALUES = np.array(TABLE, np.float32)

look_up = lookup(tuple(v + 16 for v in TABLE))


def powers(b: Records) -> Floats:
    """2**(e - 128): the exponent of a float32 is one less than e; two are subnormal."""
    e = b["e"].astype(np.int32)
    return np.where(e < 2, 1 << 21 + e % 2, (e - 1) << 23).astype(np.uint32).view(np.float32)


def decode(b: Records) -> Floats:
    return powers(b)[:, None] * VALUES[planes(b["qs"], 4).reshape(-1, 32)]


def scales(b: Records) -> Floats:
    """The largest value of each block; that of 255, which stands for NaN, is infinite as well."""
    with np.errstate(over="ignore"):
        return powers(b) * VALUES.max()


@device
def scale(p, k):  # type: ignore[no-untyped-def]
    e, one = to_i32(load(u8x16, p)), splat(i32x16, 1)
    normal, subnormal = shift_left(sub(e, one), 23), shift_left(add(e, one), 21)
    return maximum(bits(f32x16, normal), bits(f32x16, subnormal))  # of e < 2 the latter is larger


@device
def quants(p, j):  # type: ignore[no-untyped-def]
    return look_up(nibbles(p + 16))


FIELDS = (item(BLOCK, "e"), item(BLOCK, "qs", 4))
LANES = IntLanes(FIELDS, quants, scale, shift=4, n_bits=5)
FORMAT = Format(GGMLType.MXFP4, BLOCK, decode, LANES, scales=scales)
