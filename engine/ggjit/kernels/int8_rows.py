"""The integer matrix product of a few tokens: 16 rows straight from their packed blocks."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..formats import Format, IntLanes
from ..jit import device
from ..simd import target
from ..simd.dot import dot_of
from ..simd.ops import (
    add,
    first_half,
    fma,
    load,
    load_each,
    mul,
    prefetch,
    prefetch_far,
    second_half,
    shift_left,
    splat_each,
    store,
    store_each,
    sub,
    to_f32,
    to_i32,
    zeros,
)
from ..simd.types import f32x16, i32x16, tile
from .pack import rows_of
from .threads import place
from .tiles import META, half_run_bytes, n_tile, run_bytes

# Bytes that weights are asked for before they are read. Where the nearest cache has little room for
# what is on its way, the second is asked for them so much earlier.
AHEAD = 4096
NEAR, FAR = 3072, 1536


@cache
def rows_product(fmt: Format, n: int, wide: bool) -> Any:
    """Return the device function for 16 rows by n tokens, of which `n_real` are; `wide`: 16 bits.

    What is read of tokens that are not is of no matter. `spill` is memory for n registers.
    """
    assert isinstance(fmt.lanes, IntLanes)
    floats, add_run = tile(f32x16, n), run_of(fmt.lanes, n, wide)
    n_runs, block_bytes = fmt.n_columns // 32, 16 * fmt.packed_bytes
    x_step, ask = run_bytes(wide), asking(fmt)
    n_together = min(2, n_runs)  # an even run's place in its bytes is then a constant, and an odd's

    @device
    def one_run(acc, w, j, x, token_step, meta, n_tokens):  # type: ignore[no-untyped-def]
        ask(w, j)
        return add_run(acc, w, j, x, token_step, meta, 4 * n_tokens)

    @device
    def product(w, x, meta, bias, residual, out, stride, n_real, n_tokens, n_blocks, spill):  # type: ignore[no-untyped-def]
        acc, token_step = zeros(floats), x_step * n_runs * n_blocks
        for _ in range(n_blocks):
            for j in range(0, n_runs, n_together):
                acc = one_run(acc, w, j, x, token_step, meta, n_tokens)
                if n_together > 1:
                    acc = one_run(acc, w, j + 1, x + x_step, token_step, meta + META * n_tokens,
                                  n_tokens)  # fmt: skip
                x += n_together * x_step
                meta += n_together * META * n_tokens
            w += block_bytes
        if bias != 0:
            acc = add(acc, load(f32x16, bias))
        finish(acc, floats, n, residual, out, stride, n_real, spill)

    return product


@cache
def asking(fmt: Format) -> Any:
    """Return the device function that asks for weights as the j-th run of a block is used."""
    step = 16 * fmt.packed_bytes // (fmt.n_columns // 32)
    n_lines, in_two_steps = (step + 63) // 64, target.current().has_tiles
    near = NEAR if in_two_steps else AHEAD

    @device
    def ask(w, j):  # type: ignore[no-untyped-def]
        ahead = w + near + j * step
        for line in range(n_lines):  # few at a time: more than can be on their way block
            if in_two_steps:
                prefetch_far(ahead + FAR + 64 * line)
            prefetch(ahead + 64 * line)

    return ask


@cache
def few_product(fmt: Format, wide: bool, mapped: bool) -> Any:
    """Return the device function for few tokens, by groups from `first` to before `last`.

    `mapped` rows are packed into `own` memory first; behind it there is room for registers.
    """
    most, fewer = n_tile(), max(1, n_tile() // 2)
    one, few, some = (rows_product(fmt, n, wide) for n in (1, fewer, most))
    rows = rows_of(fmt, mapped)
    n_block_columns, column_bytes = fmt.n_columns, run_bytes(wide) // 32

    @device
    def few_product(  # type: ignore[no-untyped-def]
        weights, x, meta, bias, residual, out, stride, n_tokens, n_rows, n_columns, fields,
        n_fields, first, last, own, spill,
    ):  # fmt: skip
        n_blocks, token_bytes = n_columns // n_block_columns, column_bytes * n_columns
        if n_tokens == 0:  # of a batch without logits: no row is worth packing
            return
        for g in range(first, last):
            w = rows(weights, g, n_rows, n_blocks, fields, n_fields, own)
            for t in range(0, n_tokens, most):
                n, at = min(most, n_tokens - t), t * stride + 64 * g
                args = (w, x + t * token_bytes, meta + 4 * t, place(bias, 64 * g),
                        place(residual, at), out + at, stride, n, n_tokens, n_blocks,
                        spill)  # fmt: skip
                if n == 1:
                    one(*args)
                elif n <= fewer:
                    few(*args)
                else:
                    some(*args)

    return few_product


@device
def finish(acc, kind, n, residual, out, stride, n_real, spill):  # type: ignore[no-untyped-def]
    """Add the residual and write the tokens that are real."""
    if n_real == n:
        if residual != 0:
            acc = add(acc, load_each(kind, residual, stride))
        store_each(out, stride, acc)
    else:
        store(spill, acc)
        for t in range(n_real):
            row = load(f32x16, spill + 64 * t)
            if residual != 0:
                row = add(row, load(f32x16, residual + t * stride))
            store(out + t * stride, row)


def run_of(lanes: IntLanes, n: int, wide: bool) -> Any:
    """Return the device function that adds 32 columns."""
    quants, dots_of, add_span = lanes.quants, integer_dots(lanes, n, wide), span_of(lanes, n)
    floats, half = tile(f32x16, n), half_run_bytes(wide)
    if lanes.span == 32:

        @device
        def whole(acc, w, j, x, token_step, meta, step):  # type: ignore[no-untyped-def]
            by, total = splat_each(floats, meta, 4), splat_each(floats, meta + step, 4)
            return add_span(acc, dots_of(quants(w, j), x, token_step, total), w, j, by, total)

        return whole

    @device
    def halves(acc, w, j, x, token_step, meta, step):  # type: ignore[no-untyped-def]
        q, by = quants(w, j), splat_each(floats, meta, 4)
        first = splat_each(floats, meta + 2 * step, 4)
        second = sub(splat_each(floats, meta + step, 4), first)
        acc = add_span(acc, dots_of(first_half(q), x, token_step, first), w, 2 * j, by, first)
        dots = dots_of(second_half(q), x + half, token_step, second)
        return add_span(acc, dots, w, 2 * j + 1, by, second)

    return halves


def integer_dots(lanes: IntLanes, n: int, wide: bool) -> Any:
    """Return the device function for the exact integer products of a span."""
    shifted, shift = lanes.shift is not None, lanes.shift or 0
    ints, dot = tile(i32x16, n), dot_of(lanes.n_bits, wide)

    @device
    def dots_of(q, x, token_step, total):  # type: ignore[no-untyped-def]
        dots = dot(zeros(ints), q, x, token_step)
        if shifted:
            dots = sub(dots, shift_left(to_i32(total), shift))
        return dots

    return dots_of


def span_of(lanes: IntLanes, n: int) -> Any:
    """Return the device function that adds integers times scales, and the minimum."""
    scale, minimum = lanes.scale, lanes.minimum or lanes.scale
    has_minimum = lanes.minimum is not None

    @device
    def add_span(acc, dots, w, k, by, total):  # type: ignore[no-untyped-def]
        acc = fma(to_f32(dots), mul(by, scale(w, k)), acc)
        if has_minimum:
            acc = fma(mul(by, total), minimum(w, k), acc)
        return acc

    return add_span
