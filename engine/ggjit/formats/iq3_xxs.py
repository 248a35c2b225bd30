"""IQ3_XXS: four columns are one of 256 vectors with signs; value = d * (2s + 1) / 4 * v.

32 columns have a word of four times seven bits of signs and a scale of four bits.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .grids import even_signs, grid
from .relaid import as_codes

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 64), ("signs", "<u4", 8)])
SIZES = (4, 12, 20, 28, 36, 44, 52, 62)
TABLE = (*SIZES, *(-size for size in SIZES))
GRID = grid("IQ3_XXS", SIZES)


def parts(b: Records) -> Any:
    vectors = GRID[b["qs"]].view(np.uint64).reshape(-1, 8, 4)
    return b["d"], 2 * (b["signs"] >> 28) + 1, vectors | even_signs(b["signs"])


FORMAT = as_codes(GGMLType.IQ3_XXS, BLOCK, parts, TABLE, unit=1 / 4, span=32)
