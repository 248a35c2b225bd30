"""From a GGML matrix to lanes: the items of 16 rows side by side, block by block."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int64, uint8, uint16, uint32

from ..formats import Format
from ..jit import device, kernel
from ..simd.ops import load, store
from .threads import share


@device
def move_item(at, step, n, to, size, flip):  # type: ignore[no-untyped-def]
    """Put one item of n rows, `step` bytes apart, side by side; those up to 16 are zero."""
    if size == 4:
        for r in range(n):
            store(to + 4 * r, uint32(load(uint32, at + r * step) ^ uint32(flip)))
        for r in range(n, 16):
            store(to + 4 * r, uint32(0))
    elif size == 2:
        for r in range(n):
            store(to + 2 * r, uint16(load(uint16, at + r * step) ^ uint16(flip)))
        for r in range(n, 16):
            store(to + 2 * r, uint16(0))
    else:
        for r in range(n):
            store(to + r, uint8(load(uint8, at + r * step) ^ uint8(flip)))
        for r in range(n, 16):
            store(to + r, uint8(0))


@device
def pack_group(source, to, n, n_blocks, block_bytes, fields, n_fields):  # type: ignore[no-untyped-def]
    """Move every item of every block of n rows, at most 16; the rows that lack are zero.

    `fields` lists (offset, size, count, flip) as int64.
    """
    row_bytes = n_blocks * block_bytes
    for block in range(source, source + row_bytes, block_bytes):
        for f in range(fields, fields + 32 * n_fields, 32):
            at, size, flip = block + load(int64, f), load(int64, f + 8), load(int64, f + 24)
            for _ in range(load(int64, f + 16)):
                move_item(at, row_bytes, n, to, size, flip)
                at += size
                to += 16 * size


@kernel
def pack(
    source: int, packed: int, n_rows: int, n_blocks: int, block_bytes: int, fields: int,
    n_fields: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Pack a matrix, or some of its groups of 16 rows."""
    first, last = share((n_rows + 15) // 16, thread, n_threads)
    group_bytes = 16 * n_blocks * block_bytes
    for g in range(first, last):
        at = g * group_bytes
        n = min(16, n_rows - 16 * g)
        pack_group(source + at, packed + at, n, n_blocks, block_bytes, fields, n_fields)


@cache
def rows_of(fmt: Format, mapped: bool) -> Any:
    """Return the device function for the address of a packed group.

    mapped: `weights` are as in the file; the group is packed to `own` on the spot.
    """
    block_bytes = fmt.packed_bytes

    @device
    def packed_rows(weights, g, n_rows, n_blocks, fields, n_fields, own):  # type: ignore[no-untyped-def]
        return weights + g * 16 * n_blocks * block_bytes

    @device
    def mapped_rows(weights, g, n_rows, n_blocks, fields, n_fields, own):  # type: ignore[no-untyped-def]
        source = weights + g * 16 * n_blocks * block_bytes
        pack_group(source, own, min(16, n_rows - 16 * g), n_blocks, block_bytes, fields, n_fields)
        return own

    return mapped_rows if mapped else packed_rows
