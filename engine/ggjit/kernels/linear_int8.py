"""Matrix times 8- or 16-bit activations, for every format with integer lanes.

out[t, r] = sum over blocks of scale[r] * dot(quants[r], x[t]) * x_scale[t] (+ minimum), then bias
and residual. Each (token, row) is summed block by block in one order, whatever tile computes it.
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
from .threads import share_groups
from .tiles import PANEL, n_tile, tile_of


@cache
def linear_int8(fmt: Format, wide: bool) -> Kernel:
    """Return the kernel of a format; `wide`: for 16-bit activations."""
    return linear_amx.linear_amx(fmt, wide) if uses_amx() else linear_tiles(fmt, wide)


def uses_amx() -> bool:
    return target.current().has_tiles


def scratch_bytes(n_columns: int) -> int:
    """Bytes of scratch each thread needs."""
    return linear_amx.scratch_bytes(n_columns) if uses_amx() else 0


def linear_tiles(fmt: Format, wide: bool) -> Kernel:
    """Return the kernel that works in vector registers."""
    assert isinstance(fmt.lanes, IntLanes)
    size = n_tile()
    many, one = (tile_of(fmt.lanes, fmt.n_bytes, n, wide) for n in (size, 1))
    group_bytes = 16 * fmt.n_bytes

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_groups: int, n_columns: int, stride: int, scratch: int, scratch_step: int,
        thread: int, n_threads: int,
    ) -> None:
        n_blocks = n_columns // 32
        n_tokens = load(int64, count)
        first, last = share_groups(n_groups, thread, n_threads)
        for panel in range(0, n_tokens, PANEL):
            end = min(panel + PANEL, n_tokens)
            for g in range(first, last):
                w = weights + g * n_blocks * group_bytes
                t = panel
                while t + size <= end:
                    many(w, x, meta, bias, residual, out, t, n_tokens, g, n_blocks, stride)
                    t += size
                while t < end:
                    one(w, x, meta, bias, residual, out, t, n_tokens, g, n_blocks, stride)
                    t += 1

    return kernel(linear, f"linear_{fmt.name}_a{16 if wide else 8}")
