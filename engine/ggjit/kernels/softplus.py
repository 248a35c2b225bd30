"""The logistic function, and the smooth maximum with 0 (softplus)."""

from numba import float32, int64

from ..jit import device, kernel
from ..simd.ops import absolute, add, div, fma, load, maximum, mul, splat, store, sub, zeros
from ..simd.types import f32x16
from .exponential import exp
from .gates import sigmoid_of
from .threads import share


@kernel
def sigmoid(
    x: int, out: int, stride: int, n_columns: int, count: int, thread: int, n_threads: int
) -> None:
    """out = 1 / (1 + exp(-x)); threads take 16 columns."""
    first, last = share((n_columns + 15) // 16, thread, n_threads)
    for t in range(load(int64, count)):
        for i in range(t * stride + 64 * first, t * stride + 64 * last, 64):
            store(out + i, sigmoid_of(load(f32x16, x + i)))
        clear_padding(out + t * stride, n_columns, 16 * last)


@kernel
def softplus(
    x: int, bias: int, scale: int, out: int, stride: int, n_columns: int, count: int, thread: int,
    n_threads: int,
) -> None:  # fmt: skip
    """out = scale * log(1 + exp(x + bias)); threads take 16 columns; without scale it is 1."""
    first, last = share((n_columns + 15) // 16, thread, n_threads)
    for t in range(load(int64, count)):
        for i in range(64 * first, 64 * last, 64):
            made = softplus_of(add(load(f32x16, x + t * stride + i), load(f32x16, bias + i)))
            if scale != 0:
                made = mul(made, load(f32x16, scale + i))
            store(out + t * stride + i, made)
        clear_padding(out + t * stride, n_columns, 16 * last)


@device
def clear_padding(row, n_columns, end):  # type: ignore[no-untyped-def]
    """Put zeros behind a row's columns, before `end`: of 0 these functions do not make 0."""
    for i in range(n_columns, end):
        store(row + 4 * i, float32(0))


@device
def softplus_of(x):  # type: ignore[no-untyped-def]
    """Return max(x, 0) + log(1 + y) for y = exp(-|x|), the logarithm as 2 atanh(y / (2 + y))."""
    y = exp(sub(zeros(f32x16), absolute(x)))
    z = div(y, add(y, splat(f32x16, float32(2))))
    square = mul(z, z)
    p = splat(f32x16, float32(2 / 15))
    p = fma(p, square, splat(f32x16, float32(2 / 13)))
    p = fma(p, square, splat(f32x16, float32(2 / 11)))
    p = fma(p, square, splat(f32x16, float32(2 / 9)))
    p = fma(p, square, splat(f32x16, float32(2 / 7)))
    p = fma(p, square, splat(f32x16, float32(2 / 5)))
    p = fma(p, square, splat(f32x16, float32(2 / 3)))
    p = fma(p, square, splat(f32x16, float32(2)))
    return fma(p, z, maximum(x, zeros(f32x16)))
