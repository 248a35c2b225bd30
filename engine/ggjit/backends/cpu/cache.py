"""The KV cache of a sequence: one block of memory, float16, allocated once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...graph import Attention, Op
from .memory import address, aligned

ROUND = 64  # positions; kernels read whole runs of keys


@dataclass(frozen=True, eq=False)
class LayerCache:
    """Where one layer's keys and values lie in the block, in bytes."""

    k_offset: int
    v_offset: int


class CacheLayout:
    """How a sequence's block is divided among the layers."""

    def __init__(self, ops: list[Op], n_context: int) -> None:
        self.n_context = (n_context + ROUND - 1) // ROUND * ROUND
        self.layers: dict[int, LayerCache] = {}
        self.n_bytes = 0
        for op in ops:
            if isinstance(op, Attention):
                k = self._take(op.n_kv_heads * op.k_dim)
                v = self._take(op.n_kv_heads * ((op.v_dim + 15) // 16 * 16))
                self.layers[op.layer] = LayerCache(k, v)

    def _take(self, width: int) -> int:
        offset, self.n_bytes = self.n_bytes, self.n_bytes + 2 * width * self.n_context
        return offset


class CPUState:
    """One sequence's cache and how many tokens it holds."""

    def __init__(self, layout: CacheLayout) -> None:
        self.n_past = 0
        self._block = aligned(layout.n_bytes, np.uint8)
        self.address = address(self._block)

    def truncate(self, n: int) -> None:
        assert 0 <= n <= self.n_past
        self.n_past = n
