"""The KV cache of a sequence: one block of float16, allocated once, filled from its start."""

from __future__ import annotations

from dataclasses import dataclass

from ...graph import Attention, Op
from ...kernels.attention import CHUNK
from .memory import Arena, address


@dataclass(frozen=True, eq=False)
class LayerCache:
    """Where one layer's keys and values lie in a chunk, in bytes."""

    k_offset: int
    v_offset: int


class CacheLayout:
    """How a sequence's block is divided: into chunks of positions, and these among the layers."""

    def __init__(self, ops: list[Op], n_context: int) -> None:
        self.layers: dict[int, LayerCache] = {}
        self.chunk_bytes = 0
        for op in ops:
            if isinstance(op, Attention):
                k = self._take(op.n_kv_heads * op.k_dim)
                v = self._take(op.n_kv_heads * ((op.v_dim + 15) // 16 * 16))
                self.layers[op.layer] = LayerCache(k, v)
        self.n_bytes = (n_context + CHUNK - 1) // CHUNK * self.chunk_bytes

    def _take(self, width: int) -> int:
        offset = self.chunk_bytes
        self.chunk_bytes += 2 * width * CHUNK
        return offset


class CPUState:
    """One sequence's cache and how many tokens it holds."""

    def __init__(self, layout: CacheLayout) -> None:
        self.n_past = 0
        self._block = Arena(layout.n_bytes).take(layout.n_bytes)
        self.address = address(self._block)

    def truncate(self, n: int) -> None:
        assert 0 <= n <= self.n_past
        self.n_past = n
