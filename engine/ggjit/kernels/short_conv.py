"""Short causal convolutions of columns, with the last rows of each sequence kept as its state."""

from __future__ import annotations

from numba import int64

from ..jit import device, kernel
from ..simd.ops import fma, load, mul, store
from ..simd.types import f32x16
from .gates import sigmoid_of
from .threads import share


@kernel
def short_conv(
    x: int, x_stride: int, weight: int, bias: int, out: int, stride: int, n_taps: int, silu: int,
    state_offset: int, table_offset: int, batch_tables: int, batch_starts: int, part_count: int,
    count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """out[t] = bias + sum over j of weight[j] * x[t - n_taps + 1 + j]; threads take 16 columns.

    Shapes: weight [n_taps, columns], state [n_taps - 1, columns].
    """
    first, last = share(stride // 64, thread, n_threads)
    starts, tables = load(int64, batch_starts), load(int64, batch_tables)
    for p in range(load(int64, part_count)):
        start, end = load(int64, starts + 8 * p), load(int64, starts + 8 * p + 8)
        state = load(int64, load(int64, tables + 8 * start) + table_offset) + state_offset
        for c in range(64 * first, 64 * last, 64):
            rows = x + start * x_stride + c
            for t in range(end - start):
                sum_ = load(f32x16, bias + c)
                for j in range(n_taps):
                    value = row_of(state + c, stride, rows, x_stride, t + j, n_taps - 1)
                    sum_ = fma(load(f32x16, weight + j * stride + c), value, sum_)
                if silu != 0:
                    sum_ = mul(sum_, sigmoid_of(sum_))
                store(out + (start + t) * stride + c, sum_)
            for j in range(n_taps - 1):
                value = row_of(state + c, stride, rows, x_stride, end - start + j, n_taps - 1)
                store(state + c + j * stride, value)


@device
def row_of(state, stride, rows, x_stride, i, n_kept):  # type: ignore[no-untyped-def]
    """Return row i of those kept and the new ones behind them."""
    at = rows + (i - n_kept) * x_stride
    if i < n_kept:
        at = state + i * stride
    return load(f32x16, at)
