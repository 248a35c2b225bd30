"""Causal attention over a float16 cache.

The cache of a sequence is cut into chunks of 64 positions that hold all layers, so that it grows
from its start. In a chunk a layer has, per key head: keys in runs of 16 positions, [4, head_dim,
16], so that a vector holds one dimension of 16 keys and no sum crosses it; then, per head, values
[64, width], width = head_dim rounded up to 16.

A chunk is a step of an online softmax: what a query sees never depends on the batch. Queries that
share a key head share each loaded key.
"""

from __future__ import annotations

from functools import cache

from numba import float32, int32, int64

from ..jit import Kernel, device, kernel
from ..simd.ops import load, mul, splat, store, store_f16, sum_all
from ..simd.types import f32x16
from .attention_tile import CHUNK, QUERIES, STATE, SUMS, attend
from .quantize import quantize_columns
from .threads import share
from .tiles import META, n_tile


def scratch_bytes(head_dim: int) -> int:
    """Bytes each thread needs: queries, results, scores and state."""
    width = (head_dim + 15) // 16 * 16
    return QUERIES * (4 * width + 4 * width + 4 * CHUNK) + STATE


@kernel
def store_kv(
    k: int, v: int, k_stride: int, v_stride: int, k_offset: int, v_offset: int, n_kv_heads: int,
    k_dim: int, v_dim: int, chunk_bytes: int, batch_caches: int, batch_positions: int, count: int,
    thread: int, n_threads: int,
) -> None:
    """Append the batch's keys and values to the cache."""
    first, last = share(load(int64, count), thread, n_threads)
    width = (v_dim + 15) // 16 * 16
    for t in range(first, last):
        position = int64(load(int32, load(int64, batch_positions) + 4 * t))
        chunk = load(int64, load(int64, batch_caches) + 8 * t) + position // CHUNK * chunk_bytes
        at = position % CHUNK
        for h in range(n_kv_heads):
            keys = chunk + k_offset + 2 * h * CHUNK * k_dim
            to = keys + 32 * (at // 16) * k_dim + 2 * (at % 16)
            row = k + t * k_stride + 4 * h * k_dim
            for d in range(k_dim):
                store_f16(to + 32 * d, load(float32, row + 4 * d))
            to = chunk + v_offset + 2 * (h * CHUNK + at) * width
            row = v + t * v_stride + 4 * h * v_dim
            for d in range(v_dim):
                store_f16(to + 2 * d, load(float32, row + 4 * d))


@device
def copy_scaled(source, to, n, scale):  # type: ignore[no-untyped-def]
    """to[:n] = source[:n] * scale."""
    by = splat(f32x16, scale)
    for i in range(0, n - 15, 16):
        store(to + 4 * i, mul(load(f32x16, source + 4 * i), by))
    for i in range(n // 16 * 16, n):
        store(to + 4 * i, load(float32, source + 4 * i) * scale)


@device
def inverse_sum(results, n, width, r):  # type: ignore[no-untyped-def]
    """Return 1 / (sum of weights) of query r of a tile of n."""
    state = results + 4 * n * (width + CHUNK)
    return float32(1) / sum_all(load(f32x16, state + SUMS + 64 * r))


@cache
def attention() -> Kernel:
    """Return the kernel, its tile of queries fitted to the registers."""
    wide = min(n_tile(), QUERIES)
    few = min(4, wide)
    many, some, one = attend(wide), attend(few), attend(1)

    # q8 (unless 0): results are left quantized too; needs v_dim to be a multiple of 32
    def attention_f16(
        q: int, out: int, q_stride: int, stride: int, k_offset: int, v_offset: int, n_heads: int,
        n_kv_heads: int, k_dim: int, v_dim: int, chunk_bytes: int, scale: float, scratch: int,
        scratch_step: int, q8: int, parts: int, meta: int, batch_caches: int, batch_positions: int,
        count: int, thread: int, n_threads: int,
    ) -> None:
        group = n_heads // n_kv_heads
        n_tokens = load(int64, count)
        n_queries = n_tokens * group
        size = wide if n_queries * n_kv_heads >= 2 * n_threads * wide else 1
        if size == 1 and group > 1 and n_kv_heads >= n_threads:
            size = few
        n_tiles = (n_queries + size - 1) // size
        width = (v_dim + 15) // 16 * 16
        qs = scratch + thread * scratch_step
        for item in range(thread, n_tiles * n_kv_heads, n_threads):
            h, first = item % n_kv_heads, item // n_kv_heads * size
            n = min(size, n_queries - first)
            longest = int64(0)
            for r in range(size):
                query = first + min(r, n - 1)
                t, head = query // group, h * group + query % group
                row = q + t * q_stride + 4 * head * k_dim
                copy_scaled(row, qs + 4 * r * k_dim, k_dim, scale)
                longest = max(longest, int64(load(int32, load(int64, batch_positions) + 4 * t)) + 1)
            base = load(int64, load(int64, batch_caches) + 8 * (first // group))
            keys = base + k_offset + 2 * h * CHUNK * k_dim
            values = base + v_offset + 2 * h * CHUNK * width
            places = load(int64, batch_positions)
            args = (qs, keys, values, chunk_bytes, longest, k_dim, width, first, n, group, places)
            if size == wide:
                many(*args)
            elif size == few:
                some(*args)
            else:
                one(*args)
            results = qs + 4 * size * k_dim
            for r in range(n):
                t, head = (first + r) // group, h * group + (first + r) % group
                to = out + t * stride + 4 * head * v_dim
                inverse = inverse_sum(results, size, width, r)
                copy_scaled(results + 4 * r * width, to, v_dim, inverse)
                if q8 != 0:
                    column = head * v_dim
                    at = meta + META * n_tokens * (column // 32) + 4 * t
                    cells = q8 + parts * (t * n_heads * v_dim + column)
                    quantize_columns(to, cells, parts, at, v_dim, n_tokens)

    return kernel(attention_f16, "attention_f16")
