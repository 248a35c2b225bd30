"""A scale for every few columns: value = scale * q, q in -most..most - 1.

The idea is make_qx_quants' of ggml-quants.c: try scales around the one that makes the value
furthest from 0 the lowest number, round, fit the scale to the rounded values by weighted least
squares, and keep what leaves the least error.
"""

from __future__ import annotations

from typing import Any

from ggjit.jit import device
from ggjit.simd.ops import fma, maximum, minimum, round_to, splat, store, where_less, zeros
from ggjit.simd.types import f32x16, i32x16

from .columns import column, furthest, inverse, mean_square, put_half

TRIES = 9  # on both sides, a tenth of a level apart
POLISH = 2  # times that the best is rounded and fitted again


@device
def signed(v, levels, most):  # type: ignore[no-untyped-def]
    """Round to whole numbers in -most..most - 1."""
    q = round_to(f32x16, v * levels)
    return minimum(maximum(q, splat(f32x16, -most)), splat(f32x16, most - 1))


@device
def search(x, w, n, most):  # type: ignore[no-untyped-def]
    """Return the best scale for n columns with the weights at w."""
    levels = inverse(furthest(x, n))
    scale, best = zeros(f32x16), zeros(f32x16)
    for i in range(-TRIES, TRIES + 1 + POLISH):
        tried = levels * -(most + 0.1 * i)
        if i > TRIES:
            tried = inverse(scale)
        a, b = zeros(f32x16), zeros(f32x16)  # of w times x * q, q * q
        for j in range(n):
            q = signed(column(x, j), tried, most)
            wq = column(w, j) * q
            a, b = fma(wq, column(x, j), a), fma(wq, q, b)
        fit = a * inverse(b)
        gain = fit * a  # by how much the squared error is less than that of zeros
        scale, best = where_less(best, gain, fit, scale), maximum(gain, best)
    return scale


@device
def furthest_first(values, weights, n, most):  # type: ignore[no-untyped-def]
    """Make n values whole numbers; the furthest from 0 is -most. Return their unit."""
    unit = furthest(values, n) / -most
    return wholes(values, n, unit, most)


@device
def fitted_units(values, weights, n, most):  # type: ignore[no-untyped-def]
    """Make n values whole numbers of the unit that fits best; return it."""
    return wholes(values, n, search(values, weights, n, most), most)


@device
def wholes(values, n, unit, most):  # type: ignore[no-untyped-def]
    levels = inverse(unit)
    for k in range(n):
        store(values + 64 * k, signed(column(values, k), levels, most))
    return unit


@device
def replace(x, n, scale, most):  # type: ignore[no-untyped-def]
    """Write quants, made 0 and more, over n columns."""
    levels = inverse(scale)
    for j in range(n):
        store(x + 64 * j, round_to(i32x16, signed(column(x, j), levels, most) + most))


def blocks(weigh: Any, share_scales: Any, most: int, most_scale: int, d_at: int) -> Any:
    """Return the device function that makes a block of 256 columns whole numbers of 0 and more.

    Every 16 columns have a scale. `weigh(x, importance, mean, w)` writes their weights and returns
    the sum; `share_scales` makes scales whole numbers of a unit.
    """

    @device
    def block(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        """Write the unit to bytes `d_at` and on, and quants over the columns.

        Returns the address of scales, all of them whole.
        """
        w, scales, sums = scratch, scratch + 64 * 16, scratch + 64 * 32
        mean = mean_square(x, 256)
        for k in range(16):
            part = x + 64 * 16 * k
            total = weigh(part, importance + 4 * 16 * k, mean, w)
            store(scales + 64 * k, search(part, w, 16, most))
            store(sums + 64 * k, total)
        d = put_half(out, d_at, share_scales(scales, sums, 16, most_scale))
        for k in range(16):
            replace(x + 64 * 16 * k, 16, d * column(scales, k), most)
        return scales

    return block
