"""IQ3_S: four columns are one of 512 vectors with signs; value = d * (2s + 1) * v.

The high bit of a vector's number is in `qh`; 32 columns share a scale of four bits.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .grids import SIGNS, grid
from .relaid import as_codes

BLOCK = np.dtype(
    [("d", "<f2"), ("qs", "u1", 64), ("qh", "u1", 8), ("signs", "u1", 32), ("scales", "u1", 4)]
)
SIZES = (1, 3, 5, 7, 9, 11, 13, 15)
TABLE = (*SIZES, *(-size for size in SIZES))
GRID = grid("IQ3_S", SIZES)


def parts(b: Records) -> Any:
    vectors = GRID[b["qs"] | in_turn(b["qh"], 1).astype(np.uint16) << 8].view(np.uint64)
    return b["d"], 2 * in_turn(b["scales"], 4) + 1, vectors | SIGNS[b["signs"]]


FORMAT = as_codes(GGMLType.IQ3_S, BLOCK, parts, TABLE, unit=1.0, span=32)
