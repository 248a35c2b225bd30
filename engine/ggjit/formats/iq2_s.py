"""IQ2_S: eight columns are one of 1024 vectors with signs; value = d * (2s + 1) / 8 * v.

Two high bits of a vector's number are in `qh`; 16 columns share a scale of four bits.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .grids import SIGNS, grid
from .iq2_xxs import SIZES, TABLE
from .relaid import as_codes

BLOCK = np.dtype(
    [("d", "<f2"), ("qs", "u1", 32), ("signs", "u1", 32), ("qh", "u1", 8), ("scales", "u1", 8)]
)
GRID = grid("IQ2_S", SIZES)


def parts(b: Records) -> Any:
    numbers = b["qs"] | in_turn(b["qh"], 2).astype(np.uint16) << 8
    return b["d"], 2 * in_turn(b["scales"], 4) + 1, GRID[numbers] | SIGNS[b["signs"]]


FORMAT = as_codes(GGMLType.IQ2_S, BLOCK, parts, TABLE, unit=1 / 8, span=16)
