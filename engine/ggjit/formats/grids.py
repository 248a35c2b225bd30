"""What the IQ types share: grids of vectors picked by number, and the signs of their columns.

A column is a code of four bits, the highest of which is the sign. Those of four or eight columns
are the bytes of one integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from .decoding import in_turn

Eights = npt.NDArray[np.uint64]  # codes of eight columns

# By the byte of eight signs; and by seven bits of them: there is an even number of minus signs.
SIGNS = 8 * in_turn(np.arange(256, dtype=np.uint8)[:, None], 1).view(np.uint64)[:, 0]
EVEN_SIGNS = SIGNS[[i | bin(i).count("1") % 2 << 7 for i in range(128)]]
MINUS = SIGNS[255]


def grid(name: str, sizes: Sequence[int]) -> Any:
    """Return the codes of a type's vectors, which gguf-py knows; a code numbers one of `sizes`."""
    kind: Any = getattr(gguf.quants, name)
    kind.init_grid()
    codes = np.searchsorted(sizes, kind.grid[0, 0]).astype(np.uint8)
    return codes.view(f"u{codes.shape[1]}")[:, 0]


def even_signs(words: npt.NDArray[np.uint32]) -> Eights:
    """Return the signs of 32 columns from four times seven bits. Shapes: [...] to [..., 4]."""
    return EVEN_SIGNS[words[..., None] >> np.array([0, 7, 14, 21], np.uint32) & 127]
