"""Latent vectors to keys and values of single heads, in chunks that attention reads."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int32, int64

from ..jit import Kernel, device, kernel
from ..simd.ops import (
    by_group,
    by_token,
    fma,
    load,
    load_each,
    mul,
    splat_each,
    store,
    store_grid,
    to_f32,
    zeros,
)
from ..simd.types import f16x16, f32x16, grid, tile
from .cache_formats import BLOCK, CHUNK, F16, CacheFormat
from .heads import copy_columns
from .threads import share
from .tiles import SPARE, tile_shape

EXPANDED = F16  # what keys and values are left as
SCALES = 4 * CHUNK  # bytes of a block's scales, at the start of a thread's scratch
_PAIR = tile(f32x16, 2)


def n_panels(width: int) -> int:
    """Return how many panels of 16 columns a head's keys or values take."""
    return (width + 15) // 16


def scratch_bytes(width: int, n_all_panels: int) -> int:
    """Bytes of scratch each thread needs: scales, a chunk of latent vectors, what they become."""
    row = 4 * BLOCK * ((width + BLOCK - 1) // BLOCK)
    return SCALES + (CHUNK + SPARE) * (2 * row + 64 * n_all_panels)


@cache
def expand(fmt: CacheFormat) -> Kernel:
    """Return the kernel; `fmt` is that of latent vectors.

    Threads divide heads' chunks. A chunk's number comes from a latent vector and a panel alone.
    """
    n_together, n_keys_together = tile_shape().n_groups, tile_shape().n_tokens
    unpack, product = latents_of(fmt), product_of(n_together, n_keys_together)
    store_keys, store_values = EXPANDED.store_keys, EXPANDED.store_values

    # n_plain: columns of keys that do not turn; out: the first chunk, chunk_step bytes to the next
    def expand(
        panels: int, panels_step: int, out: int, chunk_step: int, head_step: int, v_offset: int,
        n_heads: int, n_latent: int, n_rot: int, n_plain: int, v_dim: int, k_offset: int,
        table_offset: int, batch_tables: int, batch_positions: int, count: int, scratch: int,
        scratch_step: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        last_token = load(int64, batch_positions) + 4 * (load(int64, count) - 1)
        n_keys = int64(load(int32, last_token)) + 1
        table, n_chunks = load(int64, load(int64, batch_tables)) + table_offset, -(-n_keys // CHUNK)
        n_blocks = (n_latent + n_rot + BLOCK - 1) // BLOCK
        k_panels, v_panels = (n_plain + 15) // 16, (v_dim + 15) // 16
        n_all, row = k_panels + v_panels, 4 * BLOCK * n_blocks
        made_row, panel_step = 64 * n_all + row, 64 * n_latent
        own = scratch + thread * scratch_step
        rows = own + SCALES
        made = rows + (CHUNK + SPARE) * row
        first, last = share(n_heads * n_chunks, thread, n_threads)
        for i in range(first, last):
            h, chunk = i // n_chunks, i % n_chunks
            n = min(CHUNK, n_keys - CHUNK * chunk)
            unpack(load(int64, table + 8 * chunk) + k_offset, own, rows, row, n_blocks, n)
            for p in range(0, n_all, n_together):
                w, step = panels + h * panels_step + p * panel_step, int64(1)
                if p + n_together > n_all:  # one panel alone
                    step = int64(0)
                for j in range(0, n, n_keys_together):
                    to = made + 64 * p + j * made_row
                    product(
                        w, step * panel_step, rows + j * row, row, n_latent, to, 64 * step, made_row
                    )
            keys = out + chunk * chunk_step + h * head_step
            for j in range(n):
                key, rot = made + j * made_row, rows + j * row + 4 * n_latent
                store_values(key + 64 * k_panels, keys + v_offset, j, v_dim)
                copy_columns(rot, key + 4 * n_plain, n_rot)  # over values, if need be
                store_keys(key, keys, j, n_plain + n_rot)

    return kernel(expand, f"expand_{fmt.name}")


@cache
def product_of(n_panels: int, n_keys: int) -> Any:
    """Return the device function that multiplies some rows by some panels, `step` bytes apart.

    A step of 0 works on one panel alone.
    """
    sums, panels = grid(f32x16, n_panels, n_keys), tile(f32x16, n_panels)
    keys = tile(f32x16, n_keys)

    @device
    def product(w, step, rows, row, n, to, to_step, to_row):  # type: ignore[no-untyped-def]
        acc = zeros(sums)
        for _ in range(n):
            by = by_token(sums, splat_each(keys, rows, row))
            acc = fma(by, by_group(sums, load_each(panels, w, step)), acc)
            w += 64
            rows += 4
        store_grid(to, to_step, to_row, acc)

    return product


@cache
def latents_of(fmt: CacheFormat) -> Any:
    """Return the device function that brings n rows of a chunk to floats."""
    values, scaled, scale_bytes = fmt.values, fmt.has_scales, fmt.scale_bytes
    row_bytes, block_bytes = fmt.row_bytes, fmt.block_bytes

    @device
    def unpack(block, scales, rows, row, n_blocks, n):  # type: ignore[no-untyped-def]
        for b in range(n_blocks):
            if scaled:
                for j in range(0, CHUNK, 16):
                    store(scales + 4 * j, to_f32(load(f16x16, block + 2 * j)))
            for j in range(n):
                x = values(block + scale_bytes + j * row_bytes)
                if scaled:
                    x = mul(x, splat_each(_PAIR, scales + 4 * j, 0))
                store(rows + j * row + 4 * BLOCK * b, x)
            block += block_bytes

    return unpack
