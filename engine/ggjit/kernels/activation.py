"""Elementwise steps between matrix products."""

from numba import float32, int64

from ..jit import kernel
from ..simd.ops import add as plus
from ..simd.ops import div, load, mul, splat, store, sub, zeros
from ..simd.types import f32x16
from .exponential import exp
from .threads import share


@kernel
def sigmoid_gate(
    gate: int, x: int, out: int, gate_stride: int, x_stride: int, stride: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
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
