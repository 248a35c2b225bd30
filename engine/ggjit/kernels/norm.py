"""RMS norm, optionally leaving its result quantized too (q = 0: not)."""

import math

from numba import float32, int64

from ..jit import kernel
from ..simd.ops import fma, load, mul, splat, store, sum_all, zeros
from ..simd.types import f32x16
from .quantize import quantize_columns
from .threads import share


@kernel
def rms_norm(
    x: int, weight: int, eps: float, out: int, stride: int, n_columns: int, q: int, parts: int,
    meta: int, count: int, thread: int, n_threads: int,
) -> None:
    """out = x / sqrt(mean(x**2) + eps) * weight. Rows are padded with zeros to 16 columns."""
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
            store(to + i, mul(mul(load(f32x16, row + i), by), load(f32x16, weight + i)))
        if q != 0:
            cells = q + parts * t * n_columns
            quantize_columns(to, cells, parts, meta + 4 * t, n_columns, n_tokens)
