"""The product of one token in blocks: 16 rows straight from their packed blocks."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32

from ..formats import Format
from ..jit import device
from ..simd.dot import dot_of
from ..simd.ops import (
    add,
    bit_field,
    first_half,
    load,
    mul,
    second_half,
    shift_left,
    shift_right,
    splat,
    store,
    sub,
    zeros,
)
from ..simd.types import f32x16, i32x16
from ..simd.words import add_words, both_places
from .blocks import add_block, add_minima, first_sum, scales_of, sum_place
from .int8_rows import asking
from .tiles import BLOCK_BYTES, BLOCK_RUNS, RECORD


@cache
def block_product(fmt: Format) -> Any:
    """Return the device function for 16 rows."""
    lanes, scales = scales_of(fmt)
    add_run, d, dmin = block_run_of(fmt), scales.d, scales.dmin or scales.d
    has_minimum, shift, block_bytes = scales.m is not None, lanes.shift or 0, 16 * fmt.packed_bytes
    n_together = 4 if lanes.span == 16 else 2  # a run's place in its bytes is constant then

    @device
    def product(w, x, meta, bias, residual, out, n_blocks):  # type: ignore[no-untyped-def]
        acc = zeros(f32x16)
        for _ in range(n_blocks):
            high, low, sums = zeros(i32x16), zeros(i32x16), zeros(i32x16)
            for j in range(0, BLOCK_RUNS, n_together):
                at = x + 64 * j
                high, low, sums = add_run(high, low, sums, w, j, at, meta)
                high, low, sums = add_run(high, low, sums, w, j + 1, at + 32, meta)
                if n_together > 2:
                    high, low, sums = add_run(high, low, sums, w, j + 2, at + 128, meta)
                    high, low, sums = add_run(high, low, sums, w, j + 3, at + 160, meta)
            if shift > 0:  # 256 * high + low - 2**shift * sums
                high = sub(high, shift_right(sums, 8 - shift))
                low = sub(low, shift_left(bit_field(sums, 0, 8 - shift), shift))
            by = splat(f32x16, load(float32, meta))
            acc = add_block(acc, high, low, by, d(w))
            if has_minimum:
                acc = add_minima(acc, sums, by, dmin(w))
            w += block_bytes
            x += BLOCK_BYTES
            meta += RECORD
        if bias != 0:
            acc = add(acc, load(f32x16, bias))
        if residual != 0:
            acc = add(acc, load(f32x16, residual))
        store(out, acc)

    return product


def block_run_of(fmt: Format) -> Any:
    """Return the device function that adds 32 columns."""
    lanes, scales = scales_of(fmt)
    quants, s, m, dot = lanes.quants, scales.s, scales.m or scales.s, dot_of(lanes.n_bits)
    place_of, first, one_span = sum_place(lanes), first_sum(lanes), lanes.span == 32
    ask = asking(fmt)

    @device
    def add_span(high, low, sums, q, w, k, x, meta):  # type: ignore[no-untyped-def]
        by = s(w, k)
        high = add(high, mul(dot(zeros(i32x16), q, x, 0), by))
        low = add(low, mul(dot(zeros(i32x16), q, x + 64, 0), by))
        sums = add_words(sums, both_places(m(w, k)), meta + first + 4 * place_of(k))
        return high, low, sums

    @device
    def add_run(high, low, sums, w, j, x, meta):  # type: ignore[no-untyped-def]
        ask(w, j)
        q = quants(w, j)
        if one_span:
            return add_span(high, low, sums, q, w, j, x, meta)
        high, low, sums = add_span(high, low, sums, first_half(q), w, 2 * j, x, meta)
        return add_span(high, low, sums, second_half(q), w, 2 * j + 1, x + 16, meta)

    return add_run
