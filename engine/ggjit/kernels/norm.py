"""RMS and layer norm, optionally leaving their results quantized too (q = 0: not)."""

import math

from numba import float32, int64

from ..jit import kernel
from ..simd.ops import add, fma, load, mul, splat, store, sub, sum_all, zeros
from ..simd.types import f32x16
from .quantize import quantize_columns
from .threads import share


@kernel
def rms_norm(
    x: int, weight: int, eps: float, residual: int, out: int, stride: int, n_columns: int, q: int,
    form: int, meta: int, count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """out = x / sqrt(mean(x**2) + eps) * weight + residual (0: none).

    Rows are padded with zeros to 16 columns.
    """
    n_tokens = load(int64, count)
    first, last = share(n_tokens, thread, n_threads)
    for t in range(first, last):
        row, to = x + t * stride, out + t * stride
        squares = zeros(f32x16)
        for i in range(0, 4 * n_columns, 64):
            v = load(f32x16, row + i)
            squares = fma(v, v, squares)
        mean = sum_all(squares) / float32(n_columns)
        by = splat(f32x16, float32(1) / float32(math.sqrt(mean + eps)))
        for i in range(0, 4 * n_columns, 64):
            v = mul(mul(load(f32x16, row + i), by), load(f32x16, weight + i))
            if residual != 0:
                v = add(v, load(f32x16, residual + t * stride + i))
            store(to + i, v)
        if q != 0:
            runs = n_columns // 32
            quantize_columns(to, q, form, meta, t, int64(0), runs, n_columns, n_tokens)


@kernel
def head_norm(
    x: int, weight: int, eps: float, out: int, stride: int, n_heads: int, head_dim: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Take each head of a row for a row, all with one weight; `out` may be `x`."""
    first, last = share(load(int64, count), thread, n_threads)
    whole = head_dim // 16 * 16
    for t in range(first, last):
        for h in range(n_heads):
            at = t * stride + 4 * h * head_dim
            squares = zeros(f32x16)
            for i in range(0, 4 * whole, 64):
                v = load(f32x16, x + at + i)
                squares = fma(v, v, squares)
            total = sum_all(squares)
            for i in range(4 * whole, 4 * head_dim, 4):
                total += load(float32, x + at + i) * load(float32, x + at + i)
            by = float32(1) / float32(math.sqrt(total / float32(head_dim) + eps))
            for i in range(0, 4 * whole, 64):
                v = mul(load(f32x16, x + at + i), splat(f32x16, by))
                store(out + at + i, mul(v, load(f32x16, weight + i)))
            for i in range(4 * whole, 4 * head_dim, 4):
                store(out + at + i, load(float32, x + at + i) * by * load(float32, weight + i))


@kernel
def layer_norm(
    x: int, weight: int, bias: int, eps: float, out: int, stride: int, n_columns: int, q: int,
    form: int, meta: int, count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """out = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias (0: none).

    Rows are padded with zeros to 16 columns.
    """
    n_tokens = load(int64, count)
    first, last = share(n_tokens, thread, n_threads)
    for t in range(first, last):
        row, to = x + t * stride, out + t * stride
        total = zeros(f32x16)
        for i in range(0, 4 * n_columns, 64):
            total = add(total, load(f32x16, row + i))
        mean = sum_all(total) / float32(n_columns)
        squares, whole = zeros(f32x16), n_columns // 16 * 16
        for i in range(0, 4 * whole, 64):
            v = sub(load(f32x16, row + i), splat(f32x16, mean))
            squares = fma(v, v, squares)
        variance = sum_all(squares)
        for i in range(4 * whole, 4 * n_columns, 4):
            variance += (load(float32, row + i) - mean) * (load(float32, row + i) - mean)
        by = float32(1) / float32(math.sqrt(variance / float32(n_columns) + eps))
        for i in range(0, 4 * n_columns, 64):
            v = mul(sub(load(f32x16, row + i), splat(f32x16, mean)), splat(f32x16, by))
            v = mul(v, load(f32x16, weight + i))
            if bias != 0:
                v = add(v, load(f32x16, bias + i))
            store(to + i, v)
        if q != 0:
            runs = n_columns // 32
            quantize_columns(to, q, form, meta, t, int64(0), runs, n_columns, n_tokens)
