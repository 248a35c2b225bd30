"""Elementwise steps between matrix products."""

from numba import float32, int64

from ..jit import kernel
from ..simd.ops import add as plus
from ..simd.ops import div, load, mul, splat, store, sub, zeros
from ..simd.types import f32x16
from .exponential import exp
from .quantize import quantize_columns
from .threads import share
from .tiles import META


@kernel
def silu_mul(
    gate: int, up: int, out: int, gate_stride: int, up_stride: int, stride: int, n_columns: int,
    q: int, parts: int, meta: int, count: int, thread: int, n_threads: int,
) -> None:
    """out = gate / (1 + exp(-gate)) * up, quantized too unless q = 0; threads take 32 columns."""
    first, last = share((n_columns + 31) // 32, thread, n_threads)
    begin, end = 128 * first, min(128 * last, (4 * n_columns + 63) // 64 * 64)
    one = splat(f32x16, float32(1))
    n_tokens = load(int64, count)
    for t in range(n_tokens):
        a, b, to = gate + t * gate_stride, up + t * up_stride, out + t * stride
        for i in range(begin, end, 64):
            v = load(f32x16, a + i)
            sigmoid = div(v, plus(one, exp(sub(zeros(f32x16), v))))
            store(to + i, mul(sigmoid, load(f32x16, b + i)))
        if q != 0:
            at = meta + META * n_tokens * first + 4 * t
            cells = q + parts * (t * n_columns + 32 * first)
            quantize_columns(to + begin, cells, parts, at, 32 * (last - first), n_tokens)


@kernel
def sigmoid_gate(
    gate: int, x: int, out: int, gate_stride: int, x_stride: int, stride: int, count: int,
    thread: int, n_threads: int,
) -> None:
    """out[t] = x[t] / (1 + exp(-gate[t])), for a gate of one number a row."""
    first, last = share(stride // 64, thread, n_threads)
    one = splat(f32x16, float32(1))
    for t in range(load(int64, count)):
        v = splat(f32x16, load(float32, gate + t * gate_stride))
        by = div(one, plus(one, exp(sub(zeros(f32x16), v))))
        for i in range(64 * first, 64 * last, 64):
            store(out + t * stride + i, mul(by, load(f32x16, x + t * x_stride + i)))


@kernel
def add(a: int, b: int, out: int, stride: int, count: int, thread: int, n_threads: int) -> None:
    """out = a + b."""
    first, last = share(stride // 64, thread, n_threads)
    for t in range(load(int64, count)):
        for i in range(t * stride + 64 * first, t * stride + 64 * last, 64):
            store(out + i, plus(load(f32x16, a + i), load(f32x16, b + i)))


@kernel
def select(
    x: int, rows: int, out: int, stride: int, count: int, thread: int, n_threads: int
) -> None:
    """Copy the rows that logits are asked for; `rows` is the address of their list's address."""
    first, last = share(stride // 64, thread, n_threads)
    for t in range(load(int64, count)):
        row = load(int64, load(int64, rows) + 8 * t)
        for i in range(64 * first, 64 * last, 64):
            store(out + t * stride + i, load(f32x16, x + row * stride + i))
