"""Matrix times float32 activations, for formats with float lanes.

Even and odd columns are summed apart, in order, so that short chains hide the latency.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int64

from ..formats import FloatLanes, Format
from ..jit import Kernel, device, kernel
from ..simd.ops import add, fma, load, load_each, prefetch, splat_each, store_each, zeros
from ..simd.types import f32x16, tile
from .pack import rows_of
from .threads import share_groups
from .tiles import n_tile

PANEL = 64  # tokens whose activations stay in the nearest caches while weights pass


def scratch_bytes(fmt: Format, n_columns: int) -> int:
    """Bytes of scratch each thread needs."""
    return 16 * n_columns * fmt.packed_bytes


@cache
def linear_float(fmt: Format, mapped: bool = False) -> Kernel:
    """Return the kernel of a format; `mapped`: from the file."""
    assert isinstance(fmt.lanes, FloatLanes)
    wide = n_tile()
    rows = rows_of(fmt, mapped)
    many, one = tile_of(fmt.lanes, fmt.packed_bytes, wide), tile_of(fmt.lanes, fmt.packed_bytes, 1)

    def linear(
        weights: int, x: int, x_stride: int, bias: int, residual: int, out: int, count: int,
        n_rows: int, n_columns: int, stride: int, fields: int, n_fields: int, scratch: int,
        scratch_step: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        n_tokens, own = load(int64, count), scratch + thread * scratch_step
        first, last = share_groups((n_rows + 15) // 16, thread, n_threads)
        for start in range(0, n_tokens, PANEL):
            end = min(start + PANEL, n_tokens)
            for g in range(first, last):
                w = rows(weights, g, n_rows, n_columns, fields, n_fields, own)
                t = start
                while t + wide <= end:
                    many(w, x, x_stride, bias, residual, out, t, g, n_columns, stride)
                    t += wide
                while t < end:
                    one(w, x, x_stride, bias, residual, out, t, g, n_columns, stride)
                    t += 1

    return kernel(linear, f"linear_{fmt.name}{'_mapped' if mapped else ''}")


@cache
def tile_of(lanes: FloatLanes, n_bytes: int, n: int) -> Any:
    """Return the device function that computes 16 rows by `n` tokens."""
    floats, values, column_bytes = tile(f32x16, n), lanes.values, 16 * n_bytes

    @device
    def rows_by_tokens(w, x, x_stride, bias, residual, out, t, g, n_columns, stride):  # type: ignore[no-untyped-def]
        x += t * x_stride
        even, odd = zeros(floats), zeros(floats)
        for _ in range(n_columns // 2):
            even = fma(splat_each(floats, x, x_stride), values(w), even)
            odd = fma(splat_each(floats, x + 4, x_stride), values(w + column_bytes), odd)
            if n == 1:
                prefetch(w + 2048)
            w += 2 * column_bytes
            x += 8
        if n_columns % 2:
            even = fma(splat_each(floats, x, x_stride), values(w), even)
        acc = add(even, odd)
        if bias != 0:
            acc = add(acc, load(f32x16, bias + 64 * g))
        at = t * stride + 64 * g
        if residual != 0:
            acc = add(acc, load_each(floats, residual + at, stride))
        store_each(out + at, stride, acc)

    return rows_by_tokens
