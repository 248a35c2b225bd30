"""IQ1_S: eight columns are one of 2048 vectors of -1, 0 and 1; value = d * (2s + 1) * (v +- 1/8).

32 columns have four times three high bits of the vectors' numbers, three bits of scale and one that
says that 1/8 is subtracted. The table has v + 1/8 in eighths, and v - 1/8 where a sign would be.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .grids import MINUS, grid
from .relaid import as_codes

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", (8, 4)), ("qh", "<u2", 8)])
TABLE = (-7, 1, 9, 0, 0, 0, 0, 0, -9, -1, 7, 0, 0, 0, 0, 0)
GRID = grid("IQ1_S", (-1, 0, 1))


def parts(b: Records) -> Any:
    high = b["qh"][..., None] >> np.array([0, 3, 6, 9], np.uint16) & 7
    minus = (b["qh"] >> 15) * MINUS
    return b["d"], 2 * (b["qh"] >> 12 & 7) + 1, GRID[b["qs"] | high << 8] | minus[..., None]


FORMAT = as_codes(GGMLType.IQ1_S, BLOCK, parts, TABLE, unit=1 / 8, span=32)
