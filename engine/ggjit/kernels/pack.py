"""From a GGML matrix to lanes: the items of 16 rows side by side, block by block."""

from numba import int64, uint8, uint16, uint32

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


@kernel
def pack(
    source: int, packed: int, fields: int, n_fields: int, n_rows: int, n_blocks: int,
    block_bytes: int, thread: int, n_threads: int,
) -> None:
    """Move every item of every block. Rows past the last are zero.

    `fields` lists (offset, size, count, flip) as int64.
    """
    first, last = share((n_rows + 15) // 16, thread, n_threads)
    row_bytes = n_blocks * block_bytes
    for g in range(first, last):
        n = min(16, n_rows - 16 * g)
        for i in range(n_blocks):
            to = packed + (g * n_blocks + i) * 16 * block_bytes
            block = source + 16 * g * row_bytes + i * block_bytes
            for f in range(fields, fields + 32 * n_fields, 32):
                at, size, flip = block + load(int64, f), load(int64, f + 8), load(int64, f + 24)
                for _ in range(load(int64, f + 16)):
                    move_item(at, row_bytes, n, to, size, flip)
                    at += size
                    to += 16 * size
