"""Matrix times 8- or 16-bit activations, for every format with integer lanes.

out[t, r] = sum over spans of scale[r] * dot(quants[r], x[t]) * x_scale[t] (+ minimum), then bias
and residual. Each (token, row) is summed span by span in one order, whatever computes it.
Activations are as `quantize` leaves them: rows of bytes, and their scales and sums in `meta`
(tiles.py). 16-bit activations are two rows of bytes and cost a second integer dot.
"""

from __future__ import annotations

from functools import cache

from numba import int64

from ..formats import Format, IntLanes
from ..jit import Kernel, kernel
from ..simd import target
from ..simd.ops import load
from . import linear_amx
from .int8_row import row_product
from .int8_tile import tile_product
from .threads import share_groups
from .tiles import META, PANEL, tile_shape
from .unpack import RUN, scale_bytes, unpack_of, unpacked_bytes


@cache
def linear_int8(fmt: Format, wide: bool) -> Kernel:
    """Return the kernel of a format; `wide`: for 16-bit activations."""
    return linear_amx.linear_amx(fmt, wide) if target.current().has_tiles else linear_tiles(fmt, wide)



def scratch_bytes(n_columns: int) -> int:
    """Bytes of scratch each thread needs."""
    tiles = linear_amx.scratch_bytes(n_columns) if target.current().has_tiles else 0
    return max(tiles, tile_shape()[0] * unpacked_bytes(n_columns))


def linear_tiles(fmt: Format, wide: bool) -> Kernel:
    """Return the kernel that works in vector registers."""
    assert isinstance(fmt.lanes, IntLanes)
    n_together, size = tile_shape()
    few = min(2, size)
    row, unpack = row_product(fmt, wide), unpack_of(fmt)
    many, some = (tile_product(fmt, n_together, n, wide) for n in (size, few))
    block_bytes, run_scales, part = 16 * fmt.packed_bytes, scale_bytes(fmt), 64 if wide else 32
    n_block_columns = fmt.n_columns

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_groups: int, n_columns: int, stride: int, scratch: int, scratch_step: int,
        thread: int, n_threads: int,
    ) -> None:
        n_runs, n_tokens = n_columns // 32, load(int64, count)
        n_blocks = n_columns // n_block_columns
        first, last = share_groups(n_groups, thread, n_threads)
        group_bytes, token_bytes = n_blocks * block_bytes, part * n_runs
        if n_tokens == 1:
            for g in range(first, last):
                at = 64 * g
                w, b, r = weights + g * group_bytes, bias + at, residual + at
                if bias == 0:
                    b = 0
                if residual == 0:
                    r = 0
                row(w, x, meta, b, r, out + at, n_tokens, n_blocks)
            return
        quants = scratch + thread * scratch_step
        scales = quants + n_together * n_runs * RUN
        for panel in range(0, n_tokens, PANEL):
            end = min(panel + PANEL, n_tokens)
            for g in range(first, last, n_together):
                n = min(n_together, last - g)
                for i in range(n):
                    to, to_scales = quants + i * n_runs * RUN, scales + i * n_runs * run_scales
                    unpack(weights + (g + i) * group_bytes, to, to_scales, n_columns)
                full = int64(n == n_together)
                q_step, s_step = full * n_runs * RUN, full * n_runs * run_scales
                t = panel
                while t < end:
                    at = t * stride + 64 * g
                    b, r = bias + 64 * g, residual + at
                    if bias == 0:
                        b = 0
                    if residual == 0:
                        r = 0
                    xs, ms, to = x + t * token_bytes, meta + 4 * t, out + at
                    if t + size <= end:
                        many(quants, scales, q_step, s_step, xs, token_bytes, ms, 4,
                             META * n_tokens, b, r, to, 64 * full, stride, n_runs)
                        t += size
                    else:
                        both = int64(t + few <= end)
                        some(quants, scales, q_step, s_step, xs, both * token_bytes, ms, 4 * both,
                             META * n_tokens, b, r, to, 64 * full, both * stride, n_runs)
                        t += few

    return kernel(linear, f"linear_{fmt.name}_a{16 if wide else 8}")
