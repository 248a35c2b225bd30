"""What the IQ types share: grids of 4 or 8 columns picked by number, and their signs."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from .decoding import in_turn

Signed = npt.NDArray[np.int8]

BYTES = np.arange(256, dtype=np.uint8)
SIGNS = 1 - 2 * in_turn(BYTES[:, None], 1).astype(
    np.int8
)  # of 8 columns, by the byte of their bits
# Seven bits of signs stand for eight: there is an even number of minus signs (ksigns_iq2xs).
EVEN = np.array([i | bin(i).count("1") % 2 << 7 for i in range(128)], np.uint8)


def grid(name: str) -> Signed:
    """Return the grid of a type, which gguf-py knows. Shapes: [numbers, 4 or 8]."""
    kind: Any = getattr(gguf.quants, name)
    kind.init_grid()
    return kind.grid[0, 0].astype(np.int8)


def signs_of(words: npt.NDArray[np.uint32]) -> Signed:
    """Return the signs of 32 columns from four times seven bits. Shapes: [...] to [..., 4, 8]."""
    sevens = words[..., None] >> np.array([0, 7, 14, 21], np.uint32) & 127
    return SIGNS[EVEN[sevens]]
