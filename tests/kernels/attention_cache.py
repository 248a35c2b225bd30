"""A cache of keys and values to store into and attend to."""

from __future__ import annotations

from typing import Any

import numpy as np
from calls import MAX_THREADS, Quantized, Threads, guarded_parts, integers_of, quantized_operands
from guarded import Guarded, padded, run

from ggjit.kernels import attention


class Cache:
    """The keys and values of one layer of one sequence, as `store_kv` lays them."""

    def __init__(self, n_kv_heads: int, k_dim: int, v_dim: int, n_context: int) -> None:
        self.n_context = (n_context + 63) // 64 * 64
        self.n_kv_heads, self.k_dim, self.v_dim, self.width = (
            n_kv_heads,
            k_dim,
            v_dim,
            padded(v_dim),
        )
        self._n_keys = n_kv_heads * k_dim * 64  # of a chunk
        n_values = n_kv_heads * self.width * 64
        self.block = Guarded((self.n_context // 64, self._n_keys + n_values), np.float16)
        self.block.array[:] = 0

    @property
    def operands(self) -> dict[str, float]:
        return {
            "k_offset": 0, "v_offset": 2 * self._n_keys, "n_kv_heads": self.n_kv_heads,
            "k_dim": self.k_dim, "v_dim": self.v_dim,
            "chunk_bytes": 2 * self.block.array.shape[1],
        }  # fmt: skip

    def keys(self) -> Any:
        """Shapes: returns [n_context, n_kv_heads, k_dim]."""
        runs = self.block.array[:, : self._n_keys]
        runs = runs.reshape(-1, self.n_kv_heads, 4, self.k_dim, 16)
        return runs.transpose(0, 2, 4, 1, 3).reshape(-1, self.n_kv_heads, self.k_dim)

    def values(self) -> Any:
        """Shapes: returns [n_context, n_kv_heads, v_dim]."""
        rows = self.block.array[:, self._n_keys :].reshape(-1, self.n_kv_heads, 64, self.width)
        rows = rows.transpose(0, 2, 1, 3).reshape(-1, self.n_kv_heads, self.width)
        return rows[..., : self.v_dim]

    def store(self, k: Any, v: Any, first: int, n_threads: Threads = 1) -> None:
        """Append [T, K, D] keys and [T, K, E] values from position `first` on."""
        keys, values = Guarded.rows(k.reshape(len(k), -1)), Guarded.rows(v.reshape(len(v), -1))
        batch = BatchLists(self, np.arange(first, first + len(k)))
        run(
            attention.store_kv, n_threads, self.block, k=keys.address, v=values.address,
            k_stride=keys.stride, v_stride=values.stride, **self.operands, **batch.operands,
        )  # fmt: skip

    def attend(
        self, q: Any, positions: Any, scale: float, n_threads: Threads = 1, int_bits: int = 0
    ) -> tuple[Any, Quantized | None]:
        """Shapes: q [T, H, D]; returns [T, H, E]."""
        n, n_heads = q.shape[:2]
        queries = Guarded.rows(q.reshape(n, -1))
        out = Guarded((n, padded(n_heads * self.v_dim)), np.float32)
        q8 = integers_of((n, n_heads * self.v_dim), int_bits)
        step = (attention.scratch_bytes(max(self.k_dim, self.v_dim)) + 127) // 64 * 64
        scratch = Guarded((MAX_THREADS, step), np.uint8)
        batch = BatchLists(self, positions)
        run(
            attention.attention(), n_threads, out, scratch, self.block, *guarded_parts(q8),
            q=queries.address, out=out.address, q_stride=queries.stride, stride=out.stride,
            **self.operands, n_heads=n_heads, scale=scale, scratch=scratch.address,
            scratch_step=step, **quantized_operands(q8, "q8"), **batch.operands,
        )  # fmt: skip
        return out.array[:, : n_heads * self.v_dim].reshape(n, n_heads, self.v_dim), q8


class BatchLists:
    """What a batch's header points to: the tokens' positions and their sequences' caches."""

    def __init__(self, cache: Cache, positions: Any) -> None:
        n = len(positions)
        caches = Guarded.of(np.full(n, cache.block.address, np.int64))
        self._lists = [Guarded.of(np.array(positions, np.int32)), caches]
        self._slots = Guarded.of(np.array([n, *(a.address for a in self._lists)], np.int64))

    @property
    def operands(self) -> dict[str, float]:
        at = self._slots.address
        return {"count": at, "batch_positions": at + 8, "batch_caches": at + 16}
