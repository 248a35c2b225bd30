"""From a GGML matrix to lanes: the items of 16 rows side by side, block by block."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int64, uint8, uint16, uint32

from ..formats import Format
from ..jit import device, kernel
from ..simd.ops import carries, flip, items_apart, load, load_columns, store
from ..simd.types import u8x64, u16x32
from .threads import share

FIELD = 40  # bytes


def mover_of(kind: Any) -> Any:
    """Return the device function that puts one item of n rows side by side."""
    n_bytes = kind.bitwidth // 8

    @device
    def move(at, step, n, to, flips, exponent):  # type: ignore[no-untyped-def]
        found, one = 0, exponent & -exponent
        for r in range(n):
            item = load(kind, at + r * step)
            found |= (item & exponent) + one
            store(to + n_bytes * r, kind(item ^ flips))
        for r in range(n, 16):
            store(to + n_bytes * r, kind(0))
        return found & (exponent + one) & ~exponent

    return move


move_byte, move_half, move_word = (mover_of(kind) for kind in (uint8, uint16, uint32))


@device
def move_item(at, step, n, to, size, flips, exponent):  # type: ignore[no-untyped-def]
    """Put one item of n rows, `step` bytes apart, side by side; those up to 16 are zero.

    Returns a number that is 0 unless an item has all bits of the exponent.
    """
    if size == 4:
        return move_word(at, step, n, to, flips, exponent)
    if size == 2:
        return move_half(at, step, n, to, flips, exponent)
    return move_byte(at, step, n, to, flips, exponent)


@device
def move_columns(at, step, to, size, flips, exponent):  # type: ignore[no-untyped-def]
    """Put the items in 16 bytes of each of 16 rows side by side; otherwise as `move_item`."""
    n_each = 0x1010101 if size == 1 else 0x10001 if size == 2 else 1  # in every item of a word
    words = load_columns(at, step)
    found = 0
    if exponent != 0:
        found = carries(words, exponent * n_each, (exponent & -exponent) * n_each)
    if flips != 0:
        words = flip(words, flips * n_each)
    if size == 2:
        words = items_apart(u16x32, words)
    elif size == 1:
        words = items_apart(u8x64, words)
    store(to, words)
    return int64(found)


@device
def pack_group(source, to, n, n_blocks, block_bytes, fields, n_fields):  # type: ignore[no-untyped-def]
    """Move every item of every block of n rows, at most 16; the rows that lack are zero.

    `fields` lists (offset, size, count, flip, exponent) as int64.
    Returns a number that is 0 unless a float is NaN or infinite.
    """
    row_bytes, found = n_blocks * block_bytes, 0
    n_merged = n_blocks if n_fields == 1 else 1  # blocks of one field are as one block
    for block in range(source, source + row_bytes, block_bytes * n_merged):
        for f in range(fields, fields + FIELD * n_fields, FIELD):
            at, size = block + load(int64, f), load(int64, f + 8)
            flips, exponent = load(int64, f + 24), load(int64, f + 32)
            end = at + size * load(int64, f + 16) * n_merged
            while n == 16 and at + 16 <= end:
                found |= move_columns(at, row_bytes, to, size, flips, exponent)
                at, to = at + 16, to + 256
            while at < end:
                found |= move_item(at, row_bytes, n, to, size, flips, exponent)
                at, to = at + size, to + 16 * size
    return found


@kernel
def pack(
    source: int, packed: int, n_rows: int, n_blocks: int, block_bytes: int, fields: int,
    n_fields: int, wrong: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Pack a matrix, or some of its groups of 16 rows; `wrong` is set if a float is none."""
    first, last = share((n_rows + 15) // 16, thread, n_threads)
    group_bytes = 16 * n_blocks * block_bytes
    for g in range(first, last):
        at = g * group_bytes
        n = min(16, n_rows - 16 * g)
        found = pack_group(source + at, packed + at, n, n_blocks, block_bytes, fields, n_fields)
        if found != 0:
            store(wrong, int64(1))


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
