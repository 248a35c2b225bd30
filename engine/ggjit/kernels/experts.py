"""Products with stacked matrices: rows are grouped by matrix, and each group is one product.

Rows of tokens are sorted by expert (`route.group_tokens`): `starts` tells where each expert's
begin, `counts` how many there are. Each group's products are those of `linear_int8` or
`linear_float`, bit for bit, and its integers and records are laid out as if it were alone: a
group's begin as many tokens' bytes (`q_step`, `meta_step`) from the start as there are before it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int64

from ..formats import Format
from ..jit import Kernel, device, kernel
from ..simd.ops import fma, load, mul, splat, store, zeros
from ..simd.types import f32x16
from .linear_float import linear_float
from .linear_int8 import linear_int8
from .quantize import quantize_columns, share_runs
from .threads import place, share
from .tiles import TileShape

PAIR = 32  # rows that threads take at a time: two groups of 16
FIXED = 4  # what reading a pair of groups costs, in tokens


@device
def part_of(start, share_of, cost, n_pairs):  # type: ignore[no-untyped-def]
    """Return which pair of a group is the first at or behind a share of the whole cost."""
    return min(max((share_of - start + cost - 1) // cost, int64(0)), n_pairs)


def _pairs_of(multiply: Any) -> Any:
    """Return the device function that divides all groups' products evenly among threads."""

    @device
    def divide(  # type: ignore[no-untyped-def]
        weights, stack_step, group_bytes, bias, bias_step, out, stride, starts, counts, n_stack,
        n_rows, given, scratch, scratch_step, thread, n_threads,
    ):  # fmt: skip
        n_pairs = (n_rows + PAIR - 1) // PAIR
        whole, at = int64(0), int64(0)
        for e in range(n_stack):
            n = load(int64, counts + 8 * e)
            whole += (n + FIXED) * n_pairs if n > 0 else int64(0)
        first, last = share(whole, thread, n_threads)
        for e in range(n_stack):
            n = load(int64, counts + 8 * e)
            if n == 0:
                continue
            a, b = part_of(at, first, n + FIXED, n_pairs), part_of(at, last, n + FIXED, n_pairs)
            at += (n + FIXED) * n_pairs
            if a < b:
                w = weights + e * stack_step + 2 * a * group_bytes
                to = out + load(int64, starts + 8 * e) * stride + 4 * PAIR * a
                b_at = place(bias, e * bias_step + 4 * PAIR * a)
                some_rows = min(n_rows, PAIR * b) - PAIR * a
                own = scratch + thread * scratch_step
                multiply(w, b_at, to, stride, starts + 8 * e, counts + 8 * e, some_rows, given, own)

    return divide


@cache
def experts_int8(fmt: Format, form: int, mapped: bool, shape: TileShape) -> Kernel:
    """Return the kernel of a format; `form`: of activations, `mapped`: from the file."""
    linear = linear_int8(fmt, form, mapped, shape)
    product = device(linear.function)

    @device
    def multiply(w, bias, out, stride, start, count, n_rows, given, own):  # type: ignore[no-untyped-def]
        x, x_step, meta, meta_step, n_columns, fields, n_fields, panel = given
        row = load(int64, start)
        q, records = x + row * x_step, meta + row * meta_step
        product(
            w, q, records, bias, 0, out, count, n_rows, n_columns, stride, fields, n_fields, panel,
            own, 0, 0, 1,
        )  # fmt: skip

    divide = _pairs_of(multiply)

    def experts(
        weights: int,
        stack_step: int,
        group_bytes: int,
        x: int,
        x_step: int,
        meta: int,
        meta_step: int,
        bias: int,
        bias_step: int,
        out: int,
        stride: int,
        starts: int,
        counts: int,
        n_stack: int,
        n_rows: int,
        n_columns: int,
        fields: int,
        n_fields: int,
        panel: int,
        scratch: int,
        scratch_step: int,
        thread: int,
        n_threads: int,
    ) -> None:
        given = (x, x_step, meta, meta_step, n_columns, fields, n_fields, panel)
        divide(
            weights, stack_step, group_bytes, bias, bias_step, out, stride, starts, counts, n_stack,
            n_rows, given, scratch, scratch_step, thread, n_threads,
        )  # fmt: skip

    return kernel(experts, f"experts_{linear.name}")


@cache
def experts_float(fmt: Format, mapped: bool) -> Kernel:
    """Return the kernel of a format of floats; `mapped`: from the file."""
    linear = linear_float(fmt, mapped)
    product = device(linear.function)

    @device
    def multiply(w, bias, out, stride, start, count, n_rows, given, own):  # type: ignore[no-untyped-def]
        x, x_stride, n_columns, fields, n_fields = given
        row = load(int64, start)
        product(
            w, x + row * x_stride, x_stride, bias, 0, out, count, n_rows, n_columns, stride, fields,
            n_fields, own, 0, 0, 1,
        )  # fmt: skip

    divide = _pairs_of(multiply)

    def experts(
        weights: int,
        stack_step: int,
        group_bytes: int,
        x: int,
        x_stride: int,
        bias: int,
        bias_step: int,
        out: int,
        stride: int,
        starts: int,
        counts: int,
        n_stack: int,
        n_rows: int,
        n_columns: int,
        fields: int,
        n_fields: int,
        scratch: int,
        scratch_step: int,
        thread: int,
        n_threads: int,
    ) -> None:
        given = (x, x_stride, n_columns, fields, n_fields)
        divide(
            weights, stack_step, group_bytes, bias, bias_step, out, stride, starts, counts, n_stack,
            n_rows, given, scratch, scratch_step, thread, n_threads,
        )  # fmt: skip

    return kernel(experts, f"experts_{linear.name}")


# -- bringing rows to their experts, and back -----------------------------------------------------


@kernel
def gather(
    x: int,
    x_stride: int,
    tokens: int,
    weights: int,
    out: int,
    stride: int,
    starts: int,
    n_stack: int,
    thread: int,
    n_threads: int,
) -> None:
    """out[i] = x[tokens[i]], times weights[i] unless weights = 0; threads take 16 columns each."""
    n_rows, n_runs = load(int64, starts + 8 * n_stack), stride // 64
    first, last = share(n_rows * n_runs, thread, n_threads)
    for i in range(first, last):
        row, column = i // n_runs, i % n_runs * 64
        v = load(f32x16, x + load(int64, tokens + 8 * row) * x_stride + column)
        if weights != 0:
            v = mul(v, splat(f32x16, load(float32, weights + 4 * row)))
        store(out + row * stride + column, v)


@kernel
def quantize_groups(
    x: int,
    stride: int,
    q: int,
    q_step: int,
    form: int,
    meta: int,
    meta_step: int,
    n_columns: int,
    starts: int,
    counts: int,
    n_stack: int,
    thread: int,
    n_threads: int,
) -> None:
    """Quantize sorted rows, each group's records apart; threads take runs of 32, or blocks."""
    n_rows, n_runs = load(int64, starts + 8 * n_stack), n_columns // 32
    first, last = share_runs(n_rows * n_columns, form, thread, n_threads)
    for e in range(n_stack):
        start, n = load(int64, starts + 8 * e), load(int64, counts + 8 * e)
        cells, at = q + start * q_step, meta + start * meta_step
        for row in range(max(start, first // n_runs), min(start + n, (last - 1) // n_runs + 1)):
            a = max(first - row * n_runs, int64(0))
            b = min(last - row * n_runs, n_runs)
            t = row - start
            quantize_columns(x + row * stride, cells, form, at, t, a, b, n_columns, n)


@kernel
def combine(
    x: int,
    x_stride: int,
    routes: int,
    routes_stride: int,
    weigh: int,
    places: int,
    n_used: int,
    out: int,
    stride: int,
    count: int,
    thread: int,
    n_threads: int,
) -> None:
    """out[t] = sum over s of x[places[t, s]], best expert first, times its weight if `weigh`."""
    first, last = share(stride // 64, thread, n_threads)
    for t in range(load(int64, count)):
        for i in range(64 * first, 64 * last, 64):
            total = zeros(f32x16)
            for s in range(n_used):
                row = load(int64, places + 8 * (t * n_used + s))
                by = float32(1)
                if weigh != 0:
                    by = load(float32, routes + t * routes_stride + 4 * (n_used + s))
                total = fma(load(f32x16, x + row * x_stride + i), splat(f32x16, by), total)
            store(out + t * stride + i, total)
