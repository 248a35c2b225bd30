"""IQ1_M: IQ1_S with a scale of three bits for 16 columns, and the eighth's sign for every eight.

The highest four bits of the four words of `scales` are a float16 together; the others are four
times three bits of scale. Half a byte of `qh` has three high bits of a number, and the sign.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Floats, Records
from .decoding import f32, in_turn
from .grids import MINUS
from .iq1_s import GRID, TABLE
from .relaid import as_codes

BLOCK = np.dtype([("qs", "u1", 32), ("qh", "u1", 16), ("scales", "<u2", 4)])


def d_of(b: Records) -> Any:
    high = b["scales"] >> 12 << np.array([0, 4, 8, 12], np.uint16)
    return np.bitwise_or.reduce(high, axis=1).view(np.float16)


def parts(b: Records) -> Any:
    high = in_turn(b["qh"], 4)
    codes = GRID[b["qs"] | (high & 7).astype(np.uint16) << 8] | (high >> 3) * MINUS
    s = b["scales"][..., None] >> np.array([0, 3, 6, 9], np.uint16) & 7
    return d_of(b), 2 * s.reshape(-1, 16) + 1, codes


def scales(b: Records) -> Floats:
    return f32(d_of(b))


FORMAT = as_codes(GGMLType.IQ1_M, BLOCK, parts, TABLE, unit=1 / 8, span=16, scales=scales)
