"""The integer matrix product on AMX tiles: 16 tokens by 16 rows, a span of columns a step.

Integer dots are exact and floats are summed in the order of `linear_int8`, so the results are
those of the other targets, bit for bit. Rows are unpacked to signed bytes once per panel of
tokens; a few tokens take the way of `linear_int8`.
"""

from __future__ import annotations

from typing import Any

from numba import int8, int64

from ..formats import Format, IntLanes
from ..jit import Kernel, device, kernel
from ..simd import target
from ..simd.amx import configure, dot_tiles, load_tile, release, store_tile
from ..simd.ops import (
    add,
    fma,
    load,
    load_each,
    mul,
    shift_left,
    splat,
    splat_each,
    store,
    store_each,
    sub,
    to_f32,
    zeros,
)
from ..simd.types import f32x16, i32x16, tile, u8x64
from .int8_rows import few_product
from .pack import rows_of
from .threads import share_groups
from .tiles import META, WIDE, kernel_name
from .unpack import RUN, scale_bytes, unpack_of, unpacked_bytes

TOKENS = 16
PANEL = 128
_EIGHT = tile(u8x64, 8)
CONFIG, DOTS, QUANTS = 0, 64, 64 + 4 * 1024  # offsets in scratch


def scratch_bytes(n_columns: int) -> int:
    """Bytes each thread needs: the configuration, four tiles of dots, 16 unpacked rows."""
    return QUANTS + unpacked_bytes(n_columns)


def linear_amx(fmt: Format, form: int, mapped: bool) -> Kernel:
    """Return the kernel of a format; `form`: of activations, `mapped`: from the file."""
    lanes = fmt.lanes
    assert isinstance(lanes, IntLanes)
    wide = form == WIDE
    few, many = few_product(fmt, wide, mapped), rows_by_tokens(fmt, wide)
    rows, unpack = rows_of(fmt, mapped), unpack_of(fmt, wide)
    centre, span = 0 if lanes.shift is None else 1 << lanes.shift, lanes.span
    run_scales, n_block_columns = scale_bytes(fmt), fmt.n_columns
    most_packed = target.current().few

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_rows: int, n_columns: int, stride: int, fields: int, n_fields: int, panel: int,
        scratch: int, scratch_step: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        n_groups, n_runs, n_tokens = (n_rows + 15) // 16, n_columns // 32, load(int64, count)
        n_blocks = n_columns // n_block_columns
        first, last = share_groups(n_groups, thread, n_threads)
        own = scratch + thread * scratch_step
        quants, scales = own + QUANTS, own + QUANTS + n_runs * RUN
        to = scales + n_runs * run_scales
        if n_tokens <= most_packed:
            few(
                weights, x, meta, bias, residual, out, stride, n_tokens, n_rows, n_columns, fields,
                n_fields, first, last, to, own,
            )  # fmt: skip
            return
        set_up(own + CONFIG, span, min(TOKENS, n_tokens))
        for start in range(0, n_tokens, PANEL):
            end = min(start + PANEL, n_tokens)
            for g in range(first, last):
                w = rows(weights, g, n_rows, n_blocks, fields, n_fields, to)
                unpack(w, quants, scales, n_blocks)
                for at in range(quants, scales, RUN):  # to signed bytes
                    store(at, sub(load(_EIGHT, at), splat(u8x64, int8(centre))))
                for t in range(start, end, TOKENS):
                    many(
                        own, scales, x, meta, bias, residual, out, t, min(TOKENS, end - t),
                        n_tokens, g, n_runs, stride,
                    )  # fmt: skip
        release()

    return kernel(linear, kernel_name(fmt, form, mapped))


@device
def set_up(config, span, n_tokens):  # type: ignore[no-untyped-def]
    """Tiles 0 to 3: dots; 4, 5: tokens by `span` bytes; 6, 7: as many bytes of 16 rows."""
    store(config, zeros(u8x64))
    store(config, int8(1))
    for i in range(8):
        n_bytes, n_rows = 64, n_tokens
        if i == 4 or i == 5:
            n_bytes = span
        if i >= 6:
            n_rows = span // 4
        store(config + 16 + 2 * i, int8(n_bytes))
        store(config + 48 + i, int8(n_rows))
    configure(config)


def dots_in(high: int, low: int, a: int, b: int, wide: bool) -> Any:
    """Return the device function for one span's dots, in tile registers of its own."""

    @device
    def issue(x, step, quants, dots):  # type: ignore[no-untyped-def]
        load_tile(b, quants, 64)
        load_tile(a, x, step)
        dot_tiles(high, a, b)
        store_tile(high, dots, 64)
        if wide:
            load_tile(a, x + 32, step)
            dot_tiles(low, a, b)
            store_tile(low, dots + 1024, 64)

    return issue


def rows_by_tokens(fmt: Format, wide: bool) -> Any:
    """Return the device function for 16 rows by 16 tokens, of which n are stored."""
    lanes = fmt.lanes
    assert isinstance(lanes, IntLanes)
    floats, ints = tile(f32x16, TOKENS), tile(i32x16, TOKENS)
    span, n_spans, has_minimum = lanes.span, 32 // lanes.span, lanes.minimum is not None
    token_bytes, span_scales = 64 if wide else 32, scale_bytes(fmt) // n_spans
    issue_even, issue_odd = dots_in(0, 1, 4, 6, wide), dots_in(2, 3, 5, 7, wide)

    @device
    def accumulate(acc, dots, k, scales, meta, meta_step):  # type: ignore[no-untyped-def]
        """Add span k's dots."""
        w, at = scales + k * span_scales, meta + k // n_spans * meta_step
        by, whole = splat_each(floats, at, 4), load(ints, dots)
        if wide:
            whole = add(shift_left(whole, 8), load(ints, dots + 1024))
        acc = fma(to_f32(whole), mul(by, load(f32x16, w)), acc)
        if has_minimum:
            third = meta_step // 3
            sums = splat_each(floats, at + third, 4)
            if n_spans == 2:
                half = splat_each(floats, at + 2 * third, 4)
                sums = half if k % 2 == 0 else sub(sums, half)
            acc = fma(mul(by, sums), load(f32x16, w + 64), acc)
        return acc

    @device
    def many(own, scales, x, meta, bias, residual, out, t, n, n_tokens, g, n_runs, stride):  # type: ignore[no-untyped-def]
        step, meta_step = token_bytes * n_runs, META * n_tokens
        x += t * step
        meta += 4 * t
        quants, even, odd = own + QUANTS, own + DOTS, own + DOTS + 2048
        acc, n = zeros(floats), int64(n)
        issue_even(x, step, quants, even)
        last = n_runs * n_spans
        for k in range(0, last - 1, 2):  # the dots of a span are read while the next are made
            issue_odd(span_of(x, k + 1), step, quants + 16 * span * (k + 1), odd)
            acc = accumulate(acc, even, k, scales, meta, meta_step)
            if k + 2 < last:
                issue_even(span_of(x, k + 2), step, quants + 16 * span * (k + 2), even)
            acc = accumulate(acc, odd, k + 1, scales, meta, meta_step)
        if last % 2:
            acc = accumulate(acc, even, last - 1, scales, meta, meta_step)
        if bias != 0:
            acc = add(acc, load(f32x16, bias + 64 * g))
        at = t * stride + 64 * g
        if n == TOKENS:
            if residual != 0:
                acc = add(acc, load_each(floats, residual + at, stride))
            store_each(out + at, stride, acc)
        else:
            store_some(acc, own + DOTS, residual, out, at, stride, n)

    @device
    def span_of(x, k):  # type: ignore[no-untyped-def]
        """Return where the k-th span of a token's bytes begins."""
        return x + k // n_spans * token_bytes + k % n_spans * span

    @device
    def store_some(acc, own, residual, out, at, stride, n):  # type: ignore[no-untyped-def]
        """Write the first n rows only."""
        store(own, acc)
        for i in range(n):
            row = load(f32x16, own + 64 * i)
            if residual != 0:
                row = add(row, load(f32x16, residual + at + i * stride))
            store(out + at + i * stride, row)

    return many
