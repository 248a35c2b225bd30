"""A scale and a minimum for every few columns: value = scale * q - minimum, q in 0..most.

What K types share (the idea is make_qkx2_quants' of ggml-quants.c): try inverse scales around
the one that spreads the levels over all values, round, fit scale and minimum to the rounded values
by weighted least squares, and keep what leaves the least error. Here values count from the
smallest, so that the error follows from the sums of the fit, without a second pass.
"""

from __future__ import annotations

from typing import Any

from numba import float32

from ggjit.jit import device
from ggjit.simd.ops import (
    fma,
    maximum,
    minimum,
    round_to,
    splat,
    store,
    where_less,
    zeros,
)
from ggjit.simd.types import f32x16, i32x16

from .columns import column, half, inverse, mean_square, put_half, smallest_and_largest

NOT_FOUND = float32(3e38)
REFITS = 1  # of a block's two units to its quants
POLISH = 2  # times that the best is rounded and fitted again


def search(most: int, width: int, first: float, step: float, n_steps: int) -> Any:
    """Return the device function that finds scale and minimum for `width` columns.

    Levels range over `most` + first + step * i for i up to `n_steps`.
    """

    @device
    def found(x, w, y):  # type: ignore[no-untyped-def]
        """Take the columns' and the weights' address, and that of room for as many."""
        low, high = smallest_and_largest(x, width)
        low = minimum(low, zeros(f32x16))
        spread, weight, moment = high - low, zeros(f32x16), zeros(f32x16)
        for j in range(width):
            v, wj = column(x, j) - low, column(w, j)
            store(y + 64 * j, v)
            weight, moment = weight + wj, fma(wj, v, moment)
        scale, offset = spread / most, zeros(f32x16)
        least = error_of(scale, offset, sums(y, w, inverse(scale), offset), weight, moment)
        for i in range(n_steps + 1 + POLISH):
            levels = inverse(spread - offset) * (most + first + step * i)
            if i > n_steps:
                levels = inverse(scale)
            of = sums(y, w, levels, offset)
            s, o, error = fitted(of, weight, moment, zeros(f32x16) - low)
            scale, offset = where_less(error, least, s, scale), where_less(error, least, o, offset)
            least = minimum(error, least)
        return scale, zeros(f32x16) - (low + offset)

    @device
    def sums(y, w, levels, start):  # type: ignore[no-untyped-def]
        """Round y, from `start` on, to quants q; return the sums of w times q, q * q, q * y."""
        a, b, c = zeros(f32x16), zeros(f32x16), zeros(f32x16)
        for j in range(width):
            v = column(y, j)
            q = level(v, levels, zeros(f32x16) - start, most)
            wq = column(w, j) * q
            a, b, c = a + wq, fma(wq, q, b), fma(wq, v, c)
        return a, b, c

    return found


@device
def fitted(sums, weight, moment, most_offset):  # type: ignore[no-untyped-def]
    """Return the scale and offset that fit best, and their error; NOT_FOUND if all q are one."""
    a, b, c = sums
    d = weight * b - a * a
    offset = (b * moment - a * c) / d
    alone = (c - most_offset * a) / b  # with the offset that makes the minimum 0
    scale = where_less(most_offset, offset, alone, (weight * c - moment * a) / d)
    offset = minimum(offset, most_offset)
    error = error_of(scale, offset, sums, weight, moment)
    return scale, offset, where_less(zeros(f32x16), d, error, splat(f32x16, NOT_FOUND))


@device
def error_of(scale, offset, sums, weight, moment):  # type: ignore[no-untyped-def]
    """Return the squared error of scale * q + offset, less the constant sum of w * y * y."""
    a, b, c = sums
    return scale * (scale * b + 2 * (offset * a - c)) + offset * (offset * weight - 2 * moment)


@device
def largest_first(values, weights, n, most):  # type: ignore[no-untyped-def]
    """Make n values 0..most, in units of the largest / most; return the unit."""
    unit = maximum(smallest_and_largest(values, n)[1], zeros(f32x16)) / most
    per_unit = inverse(unit)
    for k in range(n):
        q = minimum(round_to(f32x16, column(values, k) * per_unit), splat(f32x16, most))
        store(values + 64 * k, q)
    return unit


@device
def level(v, levels, low, most):  # type: ignore[no-untyped-def]
    q = round_to(f32x16, (v + low) * levels)
    return minimum(maximum(q, zeros(f32x16)), splat(f32x16, most))


@device
def replace(x, n, scale, low, most):  # type: ignore[no-untyped-def]
    """Write quants over n columns."""
    levels = inverse(scale)
    for j in range(n):
        store(x + 64 * j, round_to(i32x16, level(column(x, j), levels, low, most)))


def blocks(
    found: Any, weigh: Any, share_scales: Any, width: int, most: int, most_scale: int, d_at: int
) -> Any:
    """Return the device function that makes a block of 256 columns whole numbers.

    `weigh(x, importance, mean, w)` writes the weights of `width` columns and returns their sum;
    `mean` is the mean square of the block. `share_scales` makes scales whole numbers of a unit.
    """
    n = 256 // width

    @device
    def block(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        """Write both units to bytes `d_at` and on, and quants over the columns.

        Returns the address of scales and, behind them, minima, all of them whole.
        """
        w, y = scratch, scratch + 64 * width
        scales = scratch + 128 * width
        minima, sums = scales + 64 * n, scales + 128 * n
        mean = mean_square(x, 256)
        for k in range(n):
            part = x + 64 * width * k
            total = weigh(part, importance + 4 * width * k, mean, w)
            scale, low = found(part, w, y)
            store(scales + 64 * k, scale)
            store(minima + 64 * k, low)
            store(sums + 64 * k, total)
        d = half(share_scales(scales, sums, n, most_scale))
        unit = half(share_scales(minima, sums, n, most_scale))
        for _ in range(REFITS):
            d, unit = refitted(x, importance, mean, w, scales, minima, d, unit)
        put_half(out, d_at, d)
        put_half(out, d_at + 2, unit)
        for k in range(n):
            scale, low = d * column(scales, k), unit * column(minima, k)
            replace(x + 64 * width * k, width, scale, low, most)
        return scales

    @device
    def refitted(x, importance, mean, w, scales, minima, d, unit):  # type: ignore[no-untyped-def]
        """Return both units as they fit all of the block's quants best."""
        none = zeros(f32x16)
        aa, ab, bb, ax, bx = none, none, none, none, none  # a: scale times q, b: minimum
        for k in range(n):
            weigh(x + 64 * width * k, importance + 4 * width * k, mean, w)
            s, m = column(scales, k), column(minima, k)
            levels, low = inverse(d * s), unit * m
            for j in range(width):
                v, wj = column(x, width * k + j), column(w, j)
                a = s * level(v, levels, low, most)
                aa, ab, bb = fma(wj * a, a, aa), fma(wj * a, m, ab), fma(wj * m, m, bb)
                ax, bx = fma(wj * a, v, ax), fma(wj * m, v, bx)
        determinant = aa * bb - ab * ab
        new_d, new_unit = (ax * bb - bx * ab) / determinant, (ab * ax - aa * bx) / determinant
        sound = minimum(minimum(new_d, new_unit), determinant - aa * bb * 1e-5)
        d, unit = where_less(none, sound, new_d, d), where_less(none, sound, new_unit, unit)
        return half(d), half(unit)

    return block
