"""Matrix times 8- or 16-bit activations, for every format with integer lanes.

out[t, r] = sum over spans of scale[r] * dot(quants[r], x[t]) * x_scale[t] (+ minimum), then bias
and residual. Each (token, row) is summed span by span in one order, whatever computes it.
Activations are as `quantize` leaves them: rows of bytes, and their scales and sums in `meta`
(tiles.py). 16-bit activations are two rows of bytes, which cost a second integer dot, or words;
those in blocks have a product of their own (`linear_blocks`), which sums 256 columns at a time.
"""

from __future__ import annotations

from functools import cache

from numba import int64

from ..formats import Format
from ..jit import Kernel, kernel
from ..simd import target
from ..simd.ops import load
from . import linear_amx, linear_blocks
from .int8_rows import few_product
from .int8_tile import tile_product
from .pack import rows_of
from .threads import place, share_groups
from .tiles import BLOCKS, META, WIDE, TileShape, kernel_name, run_bytes
from .unpack import RUN, quant_bytes, scale_bytes, unpack_of, unpacked_bytes

CHUNK = 16 << 10  # bytes of unpacked rows, a group's: they stay in the nearest cache meanwhile


@cache
def linear_int8(fmt: Format, form: int, mapped: bool, shape: TileShape) -> Kernel:
    """Return the kernel of a format; `form`: of activations, `mapped`: from the file."""
    if form == BLOCKS:
        return linear_blocks.linear_blocks(fmt, mapped)
    if target.current().has_tiles:
        return linear_amx.linear_amx(fmt, form, mapped)
    return linear_tiles(fmt, form, mapped, shape)


def scratch_bytes(fmt: Format, form: int, n_columns: int, shape: TileShape) -> int:
    """Bytes of scratch each thread needs."""
    if form == BLOCKS:
        return linear_blocks.scratch_bytes(fmt, n_columns)
    group = 16 * n_columns // fmt.n_columns * fmt.packed_bytes
    most = max(CHUNK // RUN * 32, fmt.n_columns)
    if target.current().has_tiles:
        return linear_amx.scratch_bytes(n_columns) + group
    return shape.n_groups * (unpacked_bytes(most) + 64 * (shape.panel + shape.n_tokens) + group)


def linear_tiles(fmt: Format, form: int, mapped: bool, shape: TileShape) -> Kernel:
    """Return the kernel that works in vector registers."""
    n_together, size, wide = shape.n_groups, shape.n_tokens, form == WIDE
    most_packed, few = target.current().few, few_product(fmt, wide, mapped)
    rows, unpack = rows_of(fmt, mapped), unpack_of(fmt, wide)
    many = tile_product(fmt, n_together, size, wide)
    x_step, n_block_columns = run_bytes(wide), fmt.n_columns
    block_runs, block_bytes = fmt.n_columns // 32, 16 * fmt.packed_bytes
    chunk_blocks = max(1, CHUNK // (block_runs * quant_bytes(wide)))
    chunk_bytes = chunk_blocks * block_runs * quant_bytes(wide)
    chunk_scales = chunk_blocks * block_runs * scale_bytes(fmt)

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_rows: int, n_columns: int, stride: int, fields: int, n_fields: int, panel: int,
        scratch: int, scratch_step: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        n_groups, n_blocks = (n_rows + 15) // 16, n_columns // n_block_columns
        n_tokens, token_bytes = load(int64, count), x_step * n_columns // 32
        group_bytes = n_blocks * block_bytes
        first, last = share_groups(n_groups, thread, n_threads)
        quants = scratch + thread * scratch_step
        scales = quants + n_together * chunk_bytes
        sums = scales + n_together * chunk_scales
        own = sums + n_together * (panel + size) * 64
        if n_tokens <= most_packed:
            few(
                weights, x, meta, bias, residual, out, stride, n_tokens, n_rows, n_columns, fields,
                n_fields, first, last, own, quants,
            )  # fmt: skip
            return
        for start in range(0, n_tokens, panel):
            end = min(start + panel, n_tokens)
            for g in range(first, last, n_together):
                n = min(n_together, last - g)
                full = int64(n == n_together)  # a step of 0: both groups are the one that is left
                q_step, s_step, step = full * chunk_bytes, full * chunk_scales, 64 * full
                b, w = place(bias, 64 * g), own
                for i in range(n - 1, -1, -1):  # the first last: all follow it
                    to = own + i * group_bytes
                    w = rows(weights, g + i, n_rows, n_blocks, fields, n_fields, to)
                for block in range(0, n_blocks, chunk_blocks):
                    some_blocks = min(chunk_blocks, n_blocks - block)
                    for i in range(n):
                        at = w + i * group_bytes + block * block_bytes
                        unpack(at, quants + i * q_step, scales + i * s_step, some_blocks)
                    run, some_runs = block * block_runs, some_blocks * block_runs
                    at_x, at_meta = x + run * x_step, meta + run * META * n_tokens
                    is_last = int64(block + some_blocks == n_blocks)
                    for t in range(start, end, size):
                        at, kept = t * stride + 64 * g, sums + (t - start) * n_together * 64
                        many(quants, scales, q_step, s_step, at_x + t * token_bytes, token_bytes,
                             at_meta + 4 * t, META * n_tokens, b, place(residual, at), out + at,
                             step, stride, some_runs, min(size, end - t), kept, block,
                             is_last)  # fmt: skip

    return kernel(linear, f"{kernel_name(fmt, form, mapped)}_{shape}")
