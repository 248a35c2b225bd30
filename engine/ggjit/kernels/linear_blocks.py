"""The integer matrix product by blocks of 256 columns, on AMX tiles.

Weights times the integers of their scales are two bytes, as activations are, so that tiles sum a
whole block: of 16 tokens by 16 rows there are the dots of high bytes with high ones, of high with
low and low with high, and of low with low. The results are those of `block_rows`, bit for bit.
"""

from __future__ import annotations

from typing import Any

from numba import float32, int64

from ..formats import Format
from ..jit import Kernel, device, kernel
from ..simd.amx import (
    add_dots,
    add_unsigned_dots,
    clear_tile,
    load_tile,
    release,
    store_tile,
)
from ..simd.ops import (
    add,
    first_half,
    load,
    second_half,
    shift_left,
    splat,
    store,
    zeros,
)
from ..simd.types import f32x16, i32x16, tile
from ..simd.words import both_places, bytes_times, dot_words
from .block_rows import block_product
from .blocks import add_block, add_minima, first_sum, n_sums, scales_of, sum_place
from .int8_rows import asking
from .linear_amx import TOKENS, set_up
from .pack import rows_of
from .threads import place, share_groups
from .tiles import BLOCK_BYTES, BLOCK_RUNS, BLOCKS, RECORD, kernel_name

PANEL = 192  # tokens, at most, that meet a block's rows while these are in the nearest cache
NEAR_BYTES = 1 << 20  # of activations that stay in the second cache meanwhile
GROUPS = 2  # of 16 rows that meet a block's activations while these are

# A group's unpacked block: 4 times 64 columns, low bytes and high ones; d, dmin, and the minima.
D, DMIN, M = 8192, 8192 + 64, 8192 + 128
UNPACKED = M + 2 * BLOCK_RUNS * 64
CONFIG, DOTS = 0, 64  # offsets in scratch
ROWS = DOTS + 3 * 1024
SUMS = ROWS + GROUPS * UNPACKED
PACKED = SUMS + GROUPS * PANEL * 64


def scratch_bytes(fmt: Format, n_columns: int) -> int:
    """Bytes of scratch each thread needs."""
    return PACKED + GROUPS * 16 * n_columns // fmt.n_columns * fmt.packed_bytes


def linear_blocks(fmt: Format, mapped: bool) -> Kernel:
    """Return the kernel of a format; `mapped`: rows are as in the file."""
    one_token, rows, multiply_rows = block_product(fmt), rows_of(fmt, mapped), product_of(fmt)
    block_bytes, n_block_columns = 16 * fmt.packed_bytes, fmt.n_columns

    # panel: of other products; here it is `panel_of`
    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_rows: int, n_columns: int, stride: int, fields: int, n_fields: int, panel: int,
        scratch: int, scratch_step: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        n_groups, n_tokens = (n_rows + 15) // 16, load(int64, count)
        n_blocks = n_columns // n_block_columns
        first, last = share_groups(n_groups, thread, n_threads)
        own = scratch + thread * scratch_step
        if n_tokens == 1:
            for g in range(first, last):
                w = rows(weights, g, n_rows, n_blocks, fields, n_fields, own + PACKED)
                b, r = place(bias, 64 * g), place(residual, 64 * g)
                one_token(w, x, meta, b, r, out + 64 * g, n_blocks)
        if n_tokens < 2:
            return
        set_up(own + CONFIG, 64, min(TOKENS, n_tokens))
        group_bytes, most = n_blocks * block_bytes, panel_of(n_columns)
        for start in range(0, n_tokens, most):
            end = min(start + most, n_tokens)
            for g in range(first, last, GROUPS):
                n, w = min(GROUPS, last - g), own
                for i in range(n - 1, -1, -1):  # the first last: all follow it
                    to = own + PACKED + i * group_bytes
                    w = rows(weights, g + i, n_rows, n_blocks, fields, n_fields, to)
                multiply_rows(
                    w, group_bytes, n, x, meta, place(bias, 64 * g), place(residual, 64 * g),
                    out + 64 * g, stride, start, end, n_tokens, n_blocks, own,
                )  # fmt: skip
        release()

    return kernel(linear, kernel_name(fmt, BLOCKS, mapped))


def product_of(fmt: Format) -> Any:
    """Return the device function for n groups of rows by tokens from `start` to before `end`."""
    unpack, settle, block_bytes = unpack_block_of(fmt), settle_of(fmt), 16 * fmt.packed_bytes

    @device
    def product(  # type: ignore[no-untyped-def]
        w, group_bytes, n, x, meta, bias, residual, out, stride, start, end, n_tokens, n_blocks,
        own,
    ):  # fmt: skip
        for k in range(n_blocks):
            for i in range(n):
                unpack(w + i * group_bytes + k * block_bytes, own + ROWS + i * UNPACKED)
            is_last = int64(k + 1 == n_blocks)
            for t in range(start, end, TOKENS):
                at = k * n_tokens + t
                for i in range(n):
                    group, offset = own + ROWS + i * UNPACKED, t * stride + 64 * i
                    sums = own + SUMS + ((t - start) * GROUPS + i * TOKENS) * 64
                    multiply(group, x + at * BLOCK_BYTES, own + DOTS)
                    settle(
                        own + DOTS, group, meta + at * RECORD, sums, k, is_last,
                        place(bias, 64 * i), place(residual, offset), out + offset, stride,
                        min(TOKENS, end - t),
                    )  # fmt: skip

    return product


@device
def panel_of(n_columns):  # type: ignore[no-untyped-def]
    """Return how many tokens meet a block's rows before the next are unpacked."""
    return max(int64(64), min(int64(PANEL), NEAR_BYTES // (2 * n_columns) // TOKENS * TOKENS))


def unpack_block_of(fmt: Format) -> Any:
    """Return the device function that multiplies 16 rows' quants in a block by their scales."""
    lanes, scales = scales_of(fmt)
    quants, s, m, d, dmin = lanes.quants, scales.s, scales.m, scales.d, scales.dmin or scales.d
    ask = asking(fmt)
    times = bytes_times(0 if lanes.shift is None else 1 << lanes.shift)
    n_spans, has_minimum, place_of = 32 // lanes.span, scales.m is not None, sum_place(lanes)

    @device
    def one_run(w, j, to):  # type: ignore[no-untyped-def]
        ask(w, j)
        q = quants(w, j)
        if n_spans == 1:
            put(times(q, s(w, j)), to)
        else:
            put(times(first_half(q), s(w, 2 * j)), to)
            put(times(second_half(q), s(w, 2 * j + 1)), to + 256)

    @device
    def unpack(w, to):  # type: ignore[no-untyped-def]
        for j in range(0, BLOCK_RUNS, 4):  # by four: what they have of quants' bits is constant
            one_run(w, j, to + 1024 * j)
            one_run(w, j + 1, to + 1024 * j + 512)
            one_run(w, j + 2, to + 1024 * j + 2048)
            one_run(w, j + 3, to + 1024 * j + 2560)
        store(to + D, d(w))
        if has_minimum:
            store(to + DMIN, dmin(w))
            for k in range(BLOCK_RUNS * n_spans):
                store(to + M + 64 * place_of(k), both_places(m(w, k)))

    return unpack


@device
def put(both, to):  # type: ignore[no-untyped-def]
    """Store registers of low bytes, and those of high ones where theirs are."""
    store(to, first_half(both))
    store(to + 1024, second_half(both))


@device
def multiply(rows, x, dots):  # type: ignore[no-untyped-def]
    """Leave the dots of 16 rows with 16 tokens: of high bytes, of both kinds, of low bytes."""
    clear_tile(0)
    clear_tile(1)
    clear_tile(2)
    for i in range(4):
        load_tile(4, x + 128 * i, BLOCK_BYTES)
        load_tile(6, rows + 2048 * i + 1024, 64)
        add_dots(0, 4, 6)
        load_tile(7, rows + 2048 * i, 64)
        add_unsigned_dots(1, 4, 7)
        load_tile(5, x + 128 * i + 64, BLOCK_BYTES)
        add_dots(1, 5, 6)
        add_unsigned_dots(2, 5, 7)
    store_tile(0, dots, 64)
    store_tile(1, dots + 1024, 64)
    store_tile(2, dots + 2048, 64)


def settle_of(fmt: Format) -> Any:
    """Return the device function that adds a block's dots to the sums of n tokens."""
    lanes, scales = scales_of(fmt)
    minima, has_minimum = tile(i32x16, n_sums(lanes)), scales.m is not None
    first = first_sum(lanes)

    @device
    def settle(  # type: ignore[no-untyped-def]
        dots, rows, meta, sums, k, is_last, bias, residual, out, stride, n,
    ):  # fmt: skip
        d, dmin, m = load(f32x16, rows + D), load(f32x16, rows + DMIN), load(minima, rows + M)
        for i in range(n):
            at, acc = dots + 64 * i, zeros(f32x16)
            if k > 0:
                acc = load(f32x16, sums + 64 * i)
            low = load(i32x16, at + 2048)
            high = add(shift_left(load(i32x16, at), 8), load(i32x16, at + 1024))
            by = splat(f32x16, load(float32, meta + i * RECORD))
            acc = add_block(acc, high, low, by, d)
            if has_minimum:
                least = dot_words(m, meta + i * RECORD + first)
                acc = add_minima(acc, least, by, dmin)
            if is_last == 0:
                store(sums + 64 * i, acc)
                continue
            if bias != 0:
                acc = add(acc, load(f32x16, bias))
            if residual != 0:
                acc = add(acc, load(f32x16, residual + i * stride))
            store(out + i * stride, acc)

    return settle
