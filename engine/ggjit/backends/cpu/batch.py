"""What changes from run to run: the tokens, where they stand, and which logits are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .memory import address, aligned

SLOTS = ("n_tokens", "n_selected", "tokens", "positions", "caches", "selected")


class Batch:
    """A block of memory that kernels read; its addresses never change.

    `header` holds int64: n_tokens, n_selected, then the addresses of the lists below.
    """

    def __init__(self, n_tokens: int, n_selected: int) -> None:
        self.tokens = aligned(n_tokens, np.int32)
        self.positions = aligned(n_tokens, np.int32)
        self.caches = aligned(n_tokens, np.int64)  # address of each token's sequence's cache
        self.selected = aligned(n_selected, np.int64)  # rows whose logits are wanted
        self.header = aligned(8, np.int64)
        lists: list[npt.NDArray[Any]] = [self.tokens, self.positions, self.caches, self.selected]
        self.header[2:6] = [address(a) for a in lists]

    def fill(self, ids: npt.NDArray[np.int32], first: int, cache: int, selected: range) -> None:
        """Take one sequence's next tokens, the first of them at position `first`."""
        n, m = len(ids), len(selected)
        self.tokens[:n], self.caches[:n] = ids, cache
        self.positions[:n] = np.arange(first, first + n)
        self.selected[:m] = selected
        self.header[:2] = n, m

    def address_of(self, name: str) -> int:
        """Return where the header holds a number, or the address of a list."""
        return address(self.header) + 8 * SLOTS.index(name)
