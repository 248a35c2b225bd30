"""IQ2_XS: eight columns are one of 512 vectors with signs; value = d * (2s + 1) / 8 * v.

Nine bits number the vector, seven are its signs; 16 columns share a scale of four bits.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .grids import EVEN_SIGNS, grid
from .iq2_xxs import SIZES, TABLE
from .relaid import as_codes

BLOCK = np.dtype([("d", "<f2"), ("qs", "<u2", 32), ("scales", "u1", 8)])
GRID = grid("IQ2_XS", SIZES)


def parts(b: Records) -> Any:
    codes = GRID[b["qs"] & 511] | EVEN_SIGNS[b["qs"] >> 9]
    return b["d"], 2 * in_turn(b["scales"], 4) + 1, codes


FORMAT = as_codes(GGMLType.IQ2_XS, BLOCK, parts, TABLE, unit=1 / 8, span=16)
