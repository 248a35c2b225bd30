"""Appending a batch's keys and values to the cache.

Latent keys, which are values too, are kept in rows as values are.
"""

from __future__ import annotations

from functools import cache

from numba import int32, int64, uint16

from ..jit import Kernel, kernel
from ..simd.ops import load, store
from .cache_formats import BLOCK, CHUNK, CacheFormat
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
    ) -> None:  # fmt: skip
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


@cache
def store_latent(fmt: CacheFormat) -> Kernel:
    """Return the kernel for keys alone, with zeros behind them up to a block's end."""
    store_rows, row_bytes, block_bytes = fmt.store_values, fmt.row_bytes, fmt.block_bytes

    def store_latent(
        k: int, v: int, k_stride: int, v_stride: int, k_offset: int, v_offset: int, k_head: int,
        v_head: int, n_kv_heads: int, k_dim: int, v_dim: int, table_offset: int, batch_tables: int,
        batch_positions: int, count: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        first, last = share(load(int64, count), thread, n_threads)
        for t in range(first, last):
            position = int64(load(int32, load(int64, batch_positions) + 4 * t))
            table = load(int64, load(int64, batch_tables) + 8 * t) + table_offset
            to = load(int64, table + position // CHUNK * 8) + k_offset
            store_rows(k + t * k_stride, to, position % CHUNK, k_dim)
            for d in range(k_dim, (k_dim + BLOCK - 1) // BLOCK * BLOCK):  # of floats only
                row = to + d // BLOCK * block_bytes + position % CHUNK * row_bytes
                store(row + 2 * (d % BLOCK), uint16(0))

    return kernel(store_latent, f"store_latent_{fmt.name}")
