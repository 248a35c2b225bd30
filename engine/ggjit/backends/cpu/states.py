"""States of recurrent layers: one block a sequence, copied when it changes while others hold it.

A state cannot go back. Where a prompt ended it is held on to, so that another turn can begin there.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from ...graph import Buffer, Op, Recurrence, ShortConv
from .pool import BlockPool

N_KEPT = 4  # snapshots of a sequence


class StateLayout:
    """Where each operation's state lies in a block, in bytes, and where blocks come from."""

    def __init__(self, ops: list[Op], table_offset: int, n_sequences: int) -> None:
        self.table_offset = table_offset  # of the block's address, in a sequence's tables
        self.offsets: dict[Buffer, int] = {}
        self.block_bytes = 0
        for op in ops:
            if isinstance(op, ShortConv | Recurrence):
                self.offsets[op.out] = self.block_bytes
                self.block_bytes += (4 * op.state_floats + 63) // 64 * 64
        self.pool = BlockPool(self.block_bytes, n_sequences)

    def __bool__(self) -> bool:
        return self.block_bytes > 0


@dataclass(frozen=True)
class Snapshot:
    """The state behind so many tokens."""

    n_past: int
    block: int


class Recurrent:
    """The state of one sequence, and snapshots of it; `block` is 0 while there is none."""

    def __init__(self, layout: StateLayout) -> None:
        self._layout, self.block = layout, 0
        self._snapshots: list[Snapshot] = []

    def reserve(self) -> None:
        """Provide a block of its own: zeros at first, a copy if others hold it."""
        layout = self._layout
        held = self.block
        if held and not layout.pool.is_shared(held):
            return
        self.block = layout.pool.take()
        if held:
            ctypes.memmove(self.block, held, layout.block_bytes)
            layout.pool.give_back([held])
        else:
            ctypes.memset(self.block, 0, layout.block_bytes)

    def keep(self, n_past: int) -> None:
        """Hold on to the state as it is behind `n_past` tokens."""
        self._layout.pool.share([self.block])
        self._snapshots.append(Snapshot(n_past, self.block))
        self._let_go(self._snapshots[:-N_KEPT])
        del self._snapshots[:-N_KEPT]

    def go_back(self, n: int) -> int:
        """Return to the latest state that is known within the first `n` tokens; return to where."""
        later = [s for s in self._snapshots if s.n_past > n]
        self._snapshots = [s for s in self._snapshots if s.n_past <= n]
        self._let_go(later)
        if self.block:
            self._layout.pool.give_back([self.block])
        self.block = self._snapshots[-1].block if self._snapshots else 0
        if self.block:
            self._layout.pool.share([self.block])
        return self._snapshots[-1].n_past if self._snapshots else 0

    def copy(self) -> Recurrent:
        """Return another that shares everything."""
        made = Recurrent(self._layout)
        made.block, made._snapshots = self.block, list(self._snapshots)
        blocks = [s.block for s in made._snapshots] + ([made.block] if made.block else [])
        self._layout.pool.share(blocks)
        return made

    def clear(self) -> None:
        """Give everything back."""
        self._let_go(self._snapshots)
        if self.block:
            self._layout.pool.give_back([self.block])
        self._snapshots, self.block = [], 0

    def _let_go(self, snapshots: list[Snapshot]) -> None:
        self._layout.pool.give_back([s.block for s in snapshots])
