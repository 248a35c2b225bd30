"""IQ1_S: eight columns are one of 2048 vectors of -1, 0 and 1; value = d * (2s + 1) * (v +- 1/8).

32 columns have four times three high bits of the vectors' numbers, three bits of scale and one that
says that 1/8 is subtracted. Here v is counted in eighths.
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .grids import grid
from .relaid import as_codes

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", (8, 4)), ("qh", "<u2", 8)])
TABLE = (-9, -7, -1, 1, 7, 9)
EIGHTHS = 8 * grid("IQ1_S")


def parts(b: Records) -> Any:
    high = b["qh"][..., None] >> np.array([0, 3, 6, 9], np.uint16) & 7
    vectors = EIGHTHS[b["qs"] | high << 8]
    eighth = 1 - 2 * (b["qh"] >> 15).astype(np.int8)
    return b["d"], 2 * (b["qh"] >> 12 & 7) + 1, vectors + eighth[..., None, None]


FORMAT = as_codes(GGMLType.IQ1_S, BLOCK, parts, TABLE, unit=1 / 8, span=32)
