"""The Gaussian error linear unit by its formula with tanh (arXiv:1606.08415).

x / 2 * (1 + tanh(y)) is x / (1 + exp(-2 y)), where y = sqrt(2 / pi) * (x + 0.044715 * x**3).
"""

import math

from numba import float32, int64

from ..jit import device, kernel
from ..simd.ops import add, div, fma, load, mul, splat, store
from ..simd.types import f32x16
from .exponential import exp
from .quantize import quantize_columns, share_runs

LINEAR, CUBIC = -2 * math.sqrt(2 / math.pi), -2 * math.sqrt(2 / math.pi) * 0.044715


@device
def gelu_of(x):  # type: ignore[no-untyped-def]
    """Return the unit of a vector."""
    one = splat(f32x16, float32(1))
    by = fma(mul(x, x), splat(f32x16, float32(CUBIC)), splat(f32x16, float32(LINEAR)))
    return div(x, add(one, exp(mul(x, by))))


@kernel
def gelu(
    x: int, out: int, stride: int, n_columns: int, q: int, form: int, meta: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """out = gelu(x), quantized too unless q = 0; threads take runs of 32 columns, or blocks."""
    first, last = share_runs(n_columns, form, thread, n_threads)
    begin, end = 128 * first, min(128 * last, (4 * n_columns + 63) // 64 * 64)
    n_tokens = load(int64, count)
    for t in range(n_tokens):
        for i in range(t * stride + begin, t * stride + end, 64):
            store(out + i, gelu_of(load(f32x16, x + i)))
        if q != 0:
            row = out + t * stride
            quantize_columns(row, q, form, meta, t, first, last, n_columns, n_tokens)
