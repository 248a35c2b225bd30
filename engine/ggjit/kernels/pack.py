"""From a GGML matrix to lanes: the items of 16 rows side by side, block by block."""

from numba import int64, uint16, uint32

from ..jit import kernel
from ..simd.ops import load, store
from .threads import share


@kernel
def pack(
    source: int, packed: int, fields: int, n_fields: int, n_rows: int, n_blocks: int,
    block_bytes: int, thread: int, n_threads: int,
) -> None:
    """Move every item of every block. Rows past the last are zero.

    `fields` lists (offset, size, count, flip) as int64.
    """
    n_groups = (n_rows + 15) // 16
    first, last = share(n_groups, thread, n_threads)
    row_bytes = n_blocks * block_bytes
    for g in range(first, last):
        for i in range(n_blocks):
            to = packed + (g * n_blocks + i) * 16 * block_bytes
            block = source + 16 * g * row_bytes + i * block_bytes
            n = min(16, n_rows - 16 * g)
            for f in range(fields, fields + 32 * n_fields, 32):
                offset, size = load(int64, f), load(int64, f + 8)
                n_items, flip = load(int64, f + 16), load(int64, f + 24)
                for item in range(n_items):
                    at = block + offset + item * size
                    if size == 4:
                        for r in range(n):
                            word = load(uint32, at + r * row_bytes) ^ uint32(flip)
                            store(to + 4 * r, uint32(word))
                        for r in range(n, 16):
                            store(to + 4 * r, uint32(0))
                    else:
                        for r in range(n):
                            half = load(uint16, at + r * row_bytes) ^ uint16(flip)
                            store(to + 2 * r, uint16(half))
                        for r in range(n, 16):
                            store(to + 2 * r, uint16(0))
                    to += 16 * size
