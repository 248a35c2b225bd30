"""Rows made larger or smaller: by a number, by their position, or smoothly to less than a bound."""

import math

from numba import float32, float64, int32, int64

from ..jit import kernel
from ..simd.ops import load, mul, splat, store
from ..simd.types import f32x16
from .attention_tile import capped
from .threads import share


@kernel
def scale(
    x: int, by: float, out: int, stride: int, n_columns: int, count: int, thread: int,
    n_threads: int,
) -> None:  # fmt: skip
    """out = x * by; threads take 32 columns, and `out` may be `x`."""
    first, last = share((n_columns + 31) // 32, thread, n_threads)
    begin, end = 128 * first, min(128 * last, (4 * n_columns + 63) // 64 * 64)
    for t in range(load(int64, count)):
        for i in range(t * stride + begin, t * stride + end, 64):
            store(out + i, mul(load(f32x16, x + i), splat(f32x16, by)))


@kernel
def softcap(
    x: int, cap: float, out: int, stride: int, n_columns: int, count: int, thread: int,
    n_threads: int,
) -> None:  # fmt: skip
    """out = cap * tanh(x / cap); threads take 32 columns, and `out` may be `x`."""
    first, last = share((n_columns + 31) // 32, thread, n_threads)
    begin, end = 128 * first, min(128 * last, (4 * n_columns + 63) // 64 * 64)
    for t in range(load(int64, count)):
        for i in range(t * stride + begin, t * stride + end, 64):
            store(out + i, capped(load(f32x16, x + i), float32(cap)))


@kernel
def temper(
    x: int, by: float, span: int, offset: int, positions: int, out: int, stride: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """out[t] = x[t] * (1 + by * log(1 + (position + offset) // span)); `out` may be `x`.

    `positions` is the address of the list's address.
    """
    first, last = share(load(int64, count), thread, n_threads)
    for t in range(first, last):
        position = int64(load(int32, load(int64, positions) + 4 * t)) + offset
        factor = float32(1 + by * math.log(float64(1 + position // span)))
        for i in range(t * stride, (t + 1) * stride, 64):
            store(out + i, mul(load(f32x16, x + i), splat(f32x16, factor)))
