"""Blocks of memory of one size, shared by counting who refers to them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

from .memory import Arena, address


class BlockPool:
    """Blocks by address. It grows by arenas, whose pages are touched only when used."""

    def __init__(self, block_bytes: int, n_blocks: int) -> None:
        """Prepare for blocks of a multiple of 64 bytes, `n_blocks` at a time."""
        self.block_bytes, self._n_blocks = block_bytes, n_blocks
        self._arenas: list[Arena] = []
        self._free: list[int] = []
        self._owners: Counter[int] = Counter()
        self._returned: deque[int] = deque()  # by any thread at any time, a finalizer included
        self._lock = threading.Lock()

    @property
    def growth(self) -> int:
        """Bytes that it grows by."""
        return self._n_blocks * self.block_bytes

    @property
    def n_used(self) -> int:
        """How many blocks somebody refers to."""
        with self._lock:
            self._collect()
            return len(self._owners)

    def take(self) -> int:
        """Return the address of a block that nobody uses; what it holds is left from before."""
        with self._lock:
            self._collect()
            if not self._free:
                self._grow()
            block = self._free.pop()
            self._owners[block] = 1
            return block

    def share(self, blocks: Iterable[int]) -> None:
        """Count one more owner of each block."""
        with self._lock:
            self._owners.update(blocks)

    def is_shared(self, block: int) -> bool:
        """Tell whether a block has other owners."""
        with self._lock:
            self._collect()
            return self._owners[block] > 1

    def give_back(self, blocks: Iterable[int]) -> None:
        """Count one owner less of each block."""
        self._returned.extend(blocks)

    def _collect(self) -> None:
        """Free the blocks that were given back by all their owners."""
        while self._returned:
            block = self._returned.popleft()
            self._owners[block] -= 1
            if not self._owners[block]:
                del self._owners[block]
                self._free.append(block)

    def _grow(self) -> None:
        arena = Arena(self.growth)
        blocks = [address(arena.take(self.block_bytes)) for _ in range(self._n_blocks)]
        self._free.extend(reversed(blocks))  # the first are taken first
        self._arenas.append(arena)
