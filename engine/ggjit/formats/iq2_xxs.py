"""IQ2_XXS: eight columns are one of 256 vectors with signs; value = d * (2s + 1) / 8 * v.

32 columns have two words: four numbers of vectors, then four times seven bits of signs and a scale
of four bits (ggml-quants.c).
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .grids import even_signs, grid
from .relaid import as_codes

BLOCK = np.dtype([("d", "<f2"), ("qs", [("numbers", "u1", 4), ("signs", "<u4")], 8)])
SIZES = (8, 25, 43)
TABLE = (*SIZES, 0, 0, 0, 0, 0, -8, -25, -43, 0, 0, 0, 0, 0)
GRID = grid("IQ2_XXS", SIZES)


def parts(b: Records) -> Any:
    words = b["qs"]["signs"]
    return b["d"], 2 * (words >> 28) + 1, GRID[b["qs"]["numbers"]] | even_signs(words)


FORMAT = as_codes(GGMLType.IQ2_XXS, BLOCK, parts, TABLE, unit=1 / 8, span=32)
