"""The integer matrix product of one token: 16 rows straight from their packed blocks."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int32

from ..formats import Format, IntLanes
from ..jit import device
from ..simd.dot import dot_of
from ..simd.ops import (
    add,
    first_half,
    fma,
    load,
    mul,
    prefetch,
    second_half,
    shift_left,
    splat,
    store,
    sub,
    to_f32,
    zeros,
)
from ..simd.types import f32x16, i32x16
from .tiles import META

AHEAD = 4096  # bytes that weights are asked for before they are read


@cache
def row_product(fmt: Format, wide: bool) -> Any:
    """Return the device function for 16 rows by one token; `wide`: of 16 bits."""
    assert isinstance(fmt.lanes, IntLanes)
    add_run = run_of(fmt.lanes, wide)
    n_runs, group_bytes = fmt.n_columns // 32, 16 * fmt.packed_bytes
    n_lines, x_step = (group_bytes + 63) // 64, 64 if wide else 32

    @device
    def product(w, x, meta, bias, residual, out, n_tokens, n_blocks):  # type: ignore[no-untyped-def]
        acc = zeros(f32x16)
        for _ in range(n_blocks):
            for line in range(n_lines):
                prefetch(w + AHEAD + 64 * line)
            for j in range(n_runs):
                acc = add_run(acc, w, j, x, meta, 4 * n_tokens)
                x += x_step
                meta += META * n_tokens
            w += group_bytes
        if bias != 0:
            acc = add(acc, load(f32x16, bias))
        if residual != 0:
            acc = add(acc, load(f32x16, residual))
        store(out, acc)

    return product


def run_of(lanes: IntLanes, wide: bool) -> Any:
    """Return the device function that adds 32 columns."""
    quants, dots_of, add_span = lanes.quants, integer_dots(lanes, wide), span_of(lanes)
    if lanes.span == 32:

        @device
        def whole(acc, w, j, x, meta, step):  # type: ignore[no-untyped-def]
            total = load(int32, meta + step)
            return add_span(acc, dots_of(quants(w, j), x, total), w, j, load(float32, meta), total)

        return whole

    @device
    def halves(acc, w, j, x, meta, step):  # type: ignore[no-untyped-def]
        q, by, first = quants(w, j), load(float32, meta), load(int32, meta + 2 * step)
        second = int32(load(int32, meta + step) - first)
        acc = add_span(acc, dots_of(first_half(q), x, first), w, 2 * j, by, first)
        return add_span(acc, dots_of(second_half(q), x + 16, second), w, 2 * j + 1, by, second)

    return halves


def integer_dots(lanes: IntLanes, wide: bool) -> Any:
    """Return the device function for the exact integer products of a run."""
    shifted, shift, low = lanes.shift is not None, lanes.shift or 0, 32 if wide else 0
    dot = dot_of(lanes.n_bits)

    @device
    def dots_of(q, x, total):  # type: ignore[no-untyped-def]
        dots = dot(zeros(i32x16), q, x + low, 0)
        if wide:
            dots = add(dots, shift_left(dot(zeros(i32x16), q, x, 0), 8))
        if shifted:
            dots = sub(dots, splat(i32x16, int32(total << shift)))
        return dots

    return dots_of


def span_of(lanes: IntLanes) -> Any:
    """Return the device function that adds integers times scales, and the minimum."""
    scale, minimum = lanes.scale, lanes.minimum or lanes.scale
    has_minimum = lanes.minimum is not None

    @device
    def add_span(acc, dots, w, k, by, total):  # type: ignore[no-untyped-def]
        acc = fma(to_f32(dots), mul(splat(f32x16, by), scale(w, k)), acc)
        if has_minimum:
            acc = fma(splat(f32x16, by * float32(total)), minimum(w, k), acc)
        return acc

    return add_span
