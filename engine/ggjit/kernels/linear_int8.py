"""Matrix times int8 activations, for every format with integer lanes.

out[t, r] = sum over blocks of scale[r] * dot(quants[r], x[t]) * x_scale[t] (+ minimum), then bias
and residual. Each (token, row) is summed block by block in one order, whatever tile computes it.
Activations are as `quantize` leaves them: int8 rows, and per 32 columns a `meta` record.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int64

from ..formats import Format, IntLanes
from ..jit import Kernel, device, kernel
from ..simd import target
from ..simd.dot import dot
from ..simd.ops import add, fma, load, mul, shift_left, splat_each, store_each, sub, to_f32, zeros
from ..simd.ops import load_each, prefetch
from ..simd.types import f32x16, i32x16, tile
from .threads import share

META = 16  # bytes of a meta record: scale, scale * sum of quants, sum of quants (int32), unused
PANEL = 64  # tokens whose activations stay in the nearest caches while weights pass


def n_tile() -> int:
    """Return how many tokens share each loaded weight: what fits the machine's registers."""
    return {"avx512-amx": 8, "avx512-vnni": 8, "avx2": 2}.get(target.current().name, 1)


@cache
def linear_int8(fmt: Format) -> Kernel:
    """Return the kernel of a format."""
    assert isinstance(fmt.lanes, IntLanes)
    wide = n_tile()
    many, one = tile_of(fmt.lanes, fmt.n_bytes, wide), tile_of(fmt.lanes, fmt.n_bytes, 1)
    group_bytes = 16 * fmt.n_bytes

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_groups: int, n_columns: int, stride: int, thread: int, n_threads: int,
    ) -> None:
        n_blocks = n_columns // 32
        n_tokens = load(int64, count)
        first, last = share(n_groups, thread, n_threads)
        for panel in range(0, n_tokens, PANEL):
            end = min(panel + PANEL, n_tokens)
            for g in range(first, last):
                w = weights + g * n_blocks * group_bytes
                t = panel
                while t + wide <= end:
                    many(w, x, meta, bias, residual, out, t, g, n_blocks, stride)
                    t += wide
                while t < end:
                    one(w, x, meta, bias, residual, out, t, g, n_blocks, stride)
                    t += 1

    return kernel(linear, f"linear_{fmt.name}")


@cache
def tile_of(lanes: IntLanes, n_bytes: int, n: int) -> Any:
    """Return the device function that computes 16 rows by `n` tokens."""
    floats, ints = tile(f32x16, n), tile(i32x16, n)
    quants, scale, minimum = lanes.quants, lanes.scale, lanes.minimum or lanes.scale
    has_minimum, shifted, shift = lanes.minimum is not None, lanes.shift is not None, lanes.shift or 0
    group_bytes = 16 * n_bytes

    @device
    def rows_by_tokens(w, x, meta, bias, residual, out, t, g, n_blocks, stride):  # type: ignore[no-untyped-def]
        step = 32 * n_blocks
        meta_step = META * n_blocks
        x += t * step
        meta += t * meta_step
        acc = zeros(floats)
        for _ in range(n_blocks):
            dots = zeros(ints)
            if shifted:
                dots = sub(dots, shift_left(splat_each(ints, meta + 8, meta_step), shift))
            dots = dot(dots, quants(w), x, step)
            by = mul(splat_each(floats, meta, meta_step), scale(w))
            acc = fma(to_f32(dots), by, acc)
            if has_minimum:
                acc = fma(splat_each(floats, meta + 4, meta_step), minimum(w), acc)
            if n == 1:
                for line in range(0, group_bytes, 64):
                    prefetch(w + group_bytes * 8 + line)
            w += group_bytes
            x += 32
            meta += META
        if bias != 0:
            acc = add(acc, load(f32x16, bias + 64 * g))
        at = t * stride + 64 * g
        if residual != 0:
            acc = add(acc, load_each(floats, residual + at, stride))
        store_each(out + at, stride, acc)

    return rows_by_tokens
