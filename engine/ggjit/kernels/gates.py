"""Gated units: what a gate makes of the values beside it (arXiv:2002.05202)."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int64

from ..jit import Kernel, device, kernel
from ..simd.ops import add, div, load, maximum, minimum, mul, splat, store, sub, zeros
from ..simd.types import f32x16
from .exponential import exp
from .gelu import gelu_of
from .quantize import quantize_columns, share_runs

ALPHA, LIMIT = 1.702, 7.0  # of gpt-oss


@device
def sigmoid_of(x):  # type: ignore[no-untyped-def]
    """Return 1 / (1 + exp(-x))."""
    one = splat(f32x16, float32(1))
    return div(one, add(one, exp(sub(zeros(f32x16), x))))


@device
def silu(gate, up):  # type: ignore[no-untyped-def]
    one = splat(f32x16, float32(1))
    return mul(div(gate, add(one, exp(sub(zeros(f32x16), gate)))), up)


@device
def gelu(gate, up):  # type: ignore[no-untyped-def]
    return mul(gelu_of(gate), up)


@device
def sigmoid(gate, up):  # type: ignore[no-untyped-def]
    return mul(sigmoid_of(gate), up)


@device
def clamped(gate, up):  # type: ignore[no-untyped-def]
    """gate * sigmoid(alpha * gate) * (up + 1), both clamped first."""
    limit = splat(f32x16, float32(LIMIT))
    gate, up = minimum(gate, limit), minimum(maximum(up, splat(f32x16, float32(-LIMIT))), limit)
    by = mul(gate, sigmoid_of(mul(gate, splat(f32x16, float32(ALPHA)))))
    return mul(by, add(up, splat(f32x16, float32(1))))


@device
def plain(gate, up):  # type: ignore[no-untyped-def]
    return mul(gate, up)


UNITS = {"plain": plain, "silu": silu, "gelu": gelu, "sigmoid": sigmoid, "clamped": clamped}


@cache
def gated(unit: str) -> Kernel:
    """Return the kernel of a unit: out = unit(gate, up), quantized too unless q = 0.

    Threads take runs of 32 columns, or blocks.
    """
    combine: Any = UNITS[unit]

    def gate_rows(
        gate: int, up: int, out: int, gate_stride: int, up_stride: int, stride: int,
        n_columns: int, q: int, form: int, meta: int, count: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        first, last = share_runs(n_columns, form, thread, n_threads)
        begin, end = 128 * first, min(128 * last, (4 * n_columns + 63) // 64 * 64)
        n_tokens = load(int64, count)
        for t in range(n_tokens):
            a, b, to = gate + t * gate_stride, up + t * up_stride, out + t * stride
            for i in range(begin, end, 64):
                store(to + i, combine(load(f32x16, a + i), load(f32x16, b + i)))
            if q != 0:
                quantize_columns(to, q, form, meta, t, first, last, n_columns, n_tokens)

    return kernel(gate_rows, f"{unit}_mul")
