"""IQ2_XXS: eight columns are one of 256 vectors with signs; value = d * (2s + 1) / 8 * v.

32 columns have two words: four numbers of vectors, then four times seven bits of signs and a scale
of four bits (ggml-quants.c).
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .grids import grid, signs_of
from .relaid import as_codes

BLOCK = np.dtype([("d", "<f2"), ("qs", [("numbers", "u1", 4), ("signs", "<u4")], 8)])
TABLE = (-43, -25, -8, 8, 25, 43)
GRID = grid("IQ2_XXS")


def parts(b: Records) -> Any:
    words = b["qs"]["signs"]
    return b["d"], 2 * (words >> 28) + 1, GRID[b["qs"]["numbers"]] * signs_of(words)


FORMAT = as_codes(GGMLType.IQ2_XXS, BLOCK, parts, TABLE, unit=1 / 8, span=32)
