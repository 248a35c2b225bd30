"""Appending a batch's keys and values to the cache."""

from __future__ import annotations

from functools import cache

from numba import int32, int64

from ..jit import Kernel, kernel
from ..simd.ops import load
from .cache_formats import CHUNK, CacheFormat
from .threads import share


@cache
def store_kv(k_format: CacheFormat, v_format: CacheFormat) -> Kernel:
    """Return the kernel; tokens are divided among threads."""
    store_keys, store_values = k_format.store_keys, v_format.store_values

    # k_head, v_head: bytes of a head in a chunk; table_offset: of the layer's table in a sequence's
    def store_kv(
        k: int, v: int, k_stride: int, v_stride: int, k_offset: int, v_offset: int, k_head: int,
        v_head: int, n_kv_heads: int, k_dim: int, v_dim: int, table_offset: int, batch_tables: int,
        batch_positions: int, count: int, thread: int, n_threads: int,
    ) -> None:
        first, last = share(load(int64, count), thread, n_threads)
        for t in range(first, last):
            position = int64(load(int32, load(int64, batch_positions) + 4 * t))
            table = load(int64, load(int64, batch_tables) + 8 * t) + table_offset
            chunk, at = load(int64, table + position // CHUNK * 8), position % CHUNK
            for h in range(n_kv_heads):
                row, to = k + t * k_stride + 4 * h * k_dim, chunk + k_offset + h * k_head
                store_keys(row, to, at, k_dim)
                row, to = v + t * v_stride + 4 * h * v_dim, chunk + v_offset + h * v_head
                store_values(row, to, at, v_dim)

    return kernel(store_kv, f"store_kv_{k_format.name}_{v_format.name}")
