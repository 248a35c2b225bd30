"""What changes from run to run: the tokens, where they stand, and which logits are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .memory import address, aligned

SLOTS = (
    "n_tokens", "n_selected", "n_parts", "tokens", "positions", "tables", "selected", "starts",
)  # fmt: skip
N_NUMBERS = 3


@dataclass(frozen=True)
class Part:
    """The next tokens of one sequence, the first of them at position `first`."""

    ids: npt.NDArray[np.int32]
    first: int
    tables: int  # address of the sequence's tables of blocks
    n_selected: int  # how many of the last tokens' logits are wanted


class Batch:
    """A block of memory that kernels read; its addresses never change.

    `header` holds int64: the numbers of tokens, of logits and of parts, then the addresses of the
    lists below.
    """

    def __init__(self, n_tokens: int, n_selected: int) -> None:
        self.tokens = aligned(n_tokens, np.int32)
        self.positions = aligned(n_tokens, np.int32)
        self.tables = aligned(n_tokens, np.int64)  # address of each token's sequence's tables
        self.selected = aligned(n_selected, np.int64)  # rows whose logits are wanted
        self.starts = aligned(n_tokens + 1, np.int64)  # first row of each part, and behind the last
        self.header = aligned(len(SLOTS), np.int64)
        lists: list[npt.NDArray[Any]] = [
            self.tokens, self.positions, self.tables, self.selected, self.starts,
        ]  # fmt: skip
        self.header[N_NUMBERS:] = [address(a) for a in lists]
        self._n_rows: dict[int, npt.NDArray[np.int64]] = {}

    def fill(self, parts: Sequence[Part]) -> None:
        """Take the next tokens of one or more sequences."""
        row = n_selected = 0
        for i, part in enumerate(parts):
            end = row + len(part.ids)
            self.tokens[row:end], self.tables[row:end] = part.ids, part.tables
            self.positions[row:end] = np.arange(part.first, part.first + len(part.ids))
            wanted = slice(n_selected, n_selected + part.n_selected)
            self.selected[wanted] = np.arange(end - part.n_selected, end)
            self.starts[i : i + 2] = row, end
            row, n_selected = end, wanted.stop
        self.header[:N_NUMBERS] = row, n_selected, len(parts)
        for per_token, n_rows in self._n_rows.items():
            n_rows[0] = row * per_token

    def address_of_rows(self, per_token: int) -> int:
        """Return where the number of rows is of which each token has so many."""
        if per_token == 1:
            return self.address_of("n_tokens")
        if per_token not in self._n_rows:
            self._n_rows[per_token] = aligned(1, np.int64)
        return address(self._n_rows[per_token])

    def address_of(self, name: str) -> int:
        """Return where the header holds a number, or the address of a list."""
        return address(self.header) + 8 * SLOTS.index(name)
