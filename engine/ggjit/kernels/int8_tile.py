"""The integer matrix product of a few tokens: groups of 16 unpacked rows in registers.

Each (token, row) is summed span by span as in `int8_rows`: the results are the same, bit for bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ..formats import Format, IntLanes
from ..jit import device
from ..simd.dot import in_words
from ..simd.ops import (
    add,
    by_group,
    by_token,
    dot_grid,
    fma,
    load,
    load_each,
    load_grid,
    mul,
    shift_left,
    splat_each,
    store,
    store_grid,
    sub,
    to_f32,
    to_i32,
    zeros,
)
from ..simd.types import f32x16, grid, i32x16, tile
from .tiles import half_run_bytes, run_bytes
from .unpack import RUN, quant_bytes, scale_bytes


@cache
def tile_product(fmt: Format, n_groups: int, n_tokens: int, wide: bool) -> Any:
    """Return the device function for groups of 16 rows by tokens; `wide`: of 16 bits.

    Groups lie a step apart; a step of 0 works on one alone. Of the tokens `n_real` are; what is
    read of others is of no matter. Sums begun before are in `kept` (unless `begun` is 0), and left
    there unless these columns are the last.
    """
    assert isinstance(fmt.lanes, IntLanes)
    floats, rows = grid(f32x16, n_groups, n_tokens), tile(f32x16, n_groups)
    add_span = span_of(fmt.lanes, n_groups, n_tokens, wide)
    span, run, run_scales = fmt.lanes.span, quant_bytes(wide), scale_bytes(fmt)
    x_step, x_half = run_bytes(wide), half_run_bytes(wide)

    @device
    def product(  # type: ignore[no-untyped-def]
        quants, scales, group_step, scale_step, x, token_step, meta, meta_step, bias, residual, out,
        out_group, stride, n_runs, n_real, kept, begun, is_last,
    ):  # fmt: skip
        acc = zeros(floats)
        if begun != 0:
            acc = load(floats, kept)
        for _ in range(n_runs):
            total, first = meta + meta_step // 3, meta + meta_step // 3 * 2
            if span == 32:
                acc = add_span(
                    acc, quants, group_step, scales, scale_step, x, token_step, meta, total,
                    total, 0,
                )  # fmt: skip
            else:
                acc = add_span(
                    acc, quants, group_step, scales, scale_step, x, token_step, meta, first,
                    total, 1,
                )  # fmt: skip
                acc = add_span(
                    acc, quants + run // 2, group_step, scales + run_scales // 2, scale_step,
                    x + x_half, token_step, meta, first, total, 2,
                )  # fmt: skip
            quants += run
            scales += run_scales
            x += x_step
            meta += meta_step
        if is_last == 0:
            store(kept, acc)
            return
        if bias != 0:
            acc = add(acc, by_group(floats, load_each(rows, bias, out_group)))
        if n_real == n_tokens:
            if residual != 0:
                acc = add(acc, load_grid(floats, residual, out_group, stride))
            store_grid(out, out_group, stride, acc)
        else:
            store(kept, acc)
            for g in range(n_groups if out_group != 0 else 1):  # `out` may be the residual
                for t in range(n_real):
                    row = load(f32x16, kept + 64 * (g * n_tokens + t))
                    at = g * out_group + t * stride
                    if residual != 0:
                        row = add(row, load(f32x16, residual + at))
                    store(out + at, row)

    return product


def span_of(lanes: IntLanes, n_groups: int, n_tokens: int, wide: bool) -> Any:
    """Return the device function that adds a span of columns."""
    floats, ints = grid(f32x16, n_groups, n_tokens), grid(i32x16, n_groups, n_tokens)
    rows, tokens = tile(f32x16, n_groups), tile(f32x16, n_tokens)
    shift = lanes.shift or 0
    shifted = lanes.shift is not None and not in_words(wide)  # words are unpacked signed
    has_minimum = lanes.minimum is not None
    dot = dot_grid(lanes.span * quant_bytes(wide) // RUN // 4, lanes.n_bits, wide)

    @device
    def sums_of(first, total, half):  # type: ignore[no-untyped-def]
        """The activations' sums in this span: of all columns, the first half's, or the second's."""
        if half == 0:
            return splat_each(tokens, total, 4)
        sums = splat_each(tokens, first, 4)
        return sums if half == 1 else sub(splat_each(tokens, total, 4), sums)

    @device
    def add_span(  # type: ignore[no-untyped-def]
        acc, quants, group_step, scales, scale_step, x, token_step, meta, first, total, half,
    ):  # fmt: skip
        dots = dot(zeros(ints), quants, group_step, x, token_step)
        by = splat_each(tokens, meta, 4)
        sums = sums_of(first, total, half)
        if shifted:
            dots = sub(dots, by_token(ints, shift_left(to_i32(sums), shift)))
        scale = by_group(floats, load_each(rows, scales, scale_step))
        acc = fma(to_f32(dots), mul(by_token(floats, by), scale), acc)
        if has_minimum:
            least = by_group(floats, load_each(rows, scales + 64, scale_step))
            acc = fma(by_token(floats, mul(by, sums)), least, acc)
        return acc

    return add_span
