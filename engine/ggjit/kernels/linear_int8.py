"""Matrix times 8- or 16-bit activations, for every format with integer lanes.

out[t, r] = sum over spans of scale[r] * dot(quants[r], x[t]) * x_scale[t] (+ minimum), then bias
and residual. Each (token, row) is summed span by span in one order, whatever computes it.
Activations are as `quantize` leaves them: rows of bytes, and their scales and sums in `meta`
(tiles.py). 16-bit activations are two rows of bytes and cost a second integer dot.
"""

from __future__ import annotations

from functools import cache

from numba import int64

from ..formats import Format
from ..jit import Kernel, kernel
from ..simd import target
from ..simd.ops import load
from . import linear_amx
from .int8_rows import rows_product
from .int8_tile import tile_product
from .pack import rows_of
from .threads import place, share_groups
from .tiles import META, TileShape, kernel_name, n_tile
from .unpack import RUN, scale_bytes, unpack_of, unpacked_bytes

SPILL = 2048  # bytes for a tile's registers


@cache
def linear_int8(fmt: Format, wide: bool, mapped: bool, shape: TileShape) -> Kernel:
    """Return the kernel of a format; `wide`: for 16-bit activations, `mapped`: from the file."""
    if target.current().has_tiles:
        return linear_amx.linear_amx(fmt, wide, mapped)
    return linear_tiles(fmt, wide, mapped, shape)


def scratch_bytes(fmt: Format, n_columns: int, shape: TileShape) -> int:
    """Bytes of scratch each thread needs."""
    group = 16 * n_columns // fmt.n_columns * fmt.packed_bytes
    if target.current().has_tiles:
        return linear_amx.scratch_bytes(n_columns) + group
    return SPILL + shape.n_groups * unpacked_bytes(n_columns) + group


def linear_tiles(fmt: Format, wide: bool, mapped: bool, shape: TileShape) -> Kernel:
    """Return the kernel that works in vector registers."""
    n_together, size = shape.n_groups, shape.n_tokens
    most, fewer = n_tile(), max(1, n_tile() // 2)
    rows, unpack = rows_of(fmt, mapped), unpack_of(fmt)
    one, few, some = (rows_product(fmt, n, wide) for n in (1, fewer, most))
    many = tile_product(fmt, n_together, size, wide)
    run_scales, run_bytes = scale_bytes(fmt), 64 if wide else 32
    n_block_columns = fmt.n_columns

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_rows: int, n_columns: int, stride: int, fields: int, n_fields: int, panel: int,
        scratch: int, scratch_step: int, thread: int, n_threads: int,
    ) -> None:
        n_groups, n_runs, n_tokens = (n_rows + 15) // 16, n_columns // 32, load(int64, count)
        n_blocks, token_bytes = n_columns // n_block_columns, run_bytes * n_runs
        first, last = share_groups(n_groups, thread, n_threads)
        spill = scratch + thread * scratch_step
        quants = spill + SPILL
        scales = quants + n_together * n_runs * RUN
        own = scales + n_together * n_runs * run_scales
        if n_tokens <= most:
            for g in range(first, last):
                w = rows(weights, g, n_rows, n_blocks, fields, n_fields, own)
                b, r = place(bias, 64 * g), place(residual, 64 * g)
                args = (w, x, meta, b, r, out + 64 * g, stride, n_tokens, n_tokens, n_blocks, spill)
                if n_tokens == 1:
                    one(*args)
                elif n_tokens <= fewer:
                    few(*args)
                else:
                    some(*args)
            return
        for start in range(0, n_tokens, panel):
            end = min(start + panel, n_tokens)
            for g in range(first, last, n_together):
                n = min(n_together, last - g)
                for i in range(n):
                    w = rows(weights, g + i, n_rows, n_blocks, fields, n_fields, own)
                    unpack(w, quants + i * n_runs * RUN, scales + i * n_runs * run_scales, n_blocks)
                full = int64(n == n_together)  # a step of 0: both groups are the one that is left
                q_step, s_step, step = full * n_runs * RUN, full * n_runs * run_scales, 64 * full
                b = place(bias, 64 * g)
                for t in range(start, end, size):
                    at = t * stride + 64 * g
                    xs, ms, r, to = x + t * token_bytes, meta + 4 * t, place(residual, at), out + at
                    many(quants, scales, q_step, s_step, xs, token_bytes, ms, META * n_tokens, b, r,
                         to, step, stride, n_runs, min(size, end - t), spill)

    return kernel(linear, f"{kernel_name(fmt, wide, mapped)}_{shape}")
