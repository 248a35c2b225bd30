"""What IQ types with grids share: scales of every few columns, and the vectors that fit them best.

A scale is an odd multiple of the block's unit.
"""

from __future__ import annotations

from typing import Any

from ggjit.jit import device
from ggjit.simd.ops import (
    absolute,
    maximum,
    minimum,
    put_above,
    round_to,
    shift_right,
    splat,
    store,
    where_less,
    zeros,
)
from ggjit.simd.types import f32x16, i32x16

from .columns import (
    column,
    furthest,
    half,
    inverse,
    mean_square,
    put_byte,
    quant,
    smallest_and_largest,
)
from .grid import Grid

POLISH = 1  # times that the best is tried again, as it fits the vectors
ROUNDS = 2  # of vectors, and of units and scales that fit them


def n_scratch(grid: Grid) -> int:
    """Return how many vectors of scratch `pick` needs."""
    return 256 + 64 + 32 + 16 + 16 + 12 + grid.n_room


def vectors(grid: Grid, width: int) -> Any:
    """Return the device function that picks vectors for `width` columns, at a scale."""
    nearest, sums, m = grid.nearest(), grid.sums(), grid.n_columns
    n_vectors = width // m

    @device
    def picked(x, w, scale, numbers, room):  # type: ignore[no-untyped-def]
        """Write the numbers of the nearest vectors; return the sums that fit the scale to them."""
        a, b, none = zeros(f32x16), zeros(f32x16), zeros(f32x16)
        for k in range(n_vectors):
            part = 64 * m * k
            number = nearest(x + part, w + part, scale, none, room)[0]
            store(numbers + 64 * k, number)
            ak, bk = sums(x + part, w + part, number, none)
            a, b = a + ak, b + bk
        return a, b

    return picked


def picking(
    grid: Grid, width: int, weigh: Any, take_signs: Any, picked: Any, most: int, tries: int = 3
) -> Any:
    """Return the device function that picks vectors for a block of 256 columns.

    `weigh` is one of weights.py, `take_signs` one of signs.py, `picked` picks vectors for `width`
    columns; scales are odd multiples of a unit, up to 2 * most + 1. `tries`, an odd number, are
    tried around the one that is best without a grid.
    """
    n, n_vectors = 256 // width, width // grid.n_columns
    nearest_value, top = grid.nearest_value, grid.top

    @device
    def pick(x, importance, scratch):  # type: ignore[no-untyped-def]
        """Return the unit and the addresses of numbers, signs and scales, all int32."""
        w, numbers = scratch, scratch + 64 * 256
        signs, scales = numbers + 64 * 64, numbers + 64 * 96
        factors, room = scales + 64 * 16, scales + 64 * 32
        mean = mean_square(x, 256)
        for k in range(n):
            weigh(x + 64 * width * k, importance + 4 * width * k, mean, w + 64 * width * k)
        take_signs(x, w, signs)
        for k in range(n):
            part = 64 * width * k
            store(scales + 64 * k, searched(x + part, w + part, room))
        unit = half(smallest_and_largest(scales, n)[1] / (2 * most + 1))
        for i in range(ROUNDS):
            a, b, per_unit = zeros(f32x16), zeros(f32x16), inverse(unit)
            for k in range(n):
                part = 64 * width * k
                s = odd(column(scales, k) * per_unit, most)
                store(factors + 64 * k, round_to(i32x16, s))
                own = numbers + 64 * n_vectors * k
                ak, bk = picked(x + part, w + part, unit * s, own, room)
                a, b = a + s * ak, b + s * s * bk
                store(scales + 64 * k, where_less(zeros(f32x16), bk, ak / bk, zeros(f32x16)))
            if i < ROUNDS - 1:
                unit = half(where_less(zeros(f32x16), b, a * inverse(b), unit))
        return unit, numbers, signs, factors

    @device
    def searched(x, w, room):  # type: ignore[no-untyped-def]
        """Return the scale of `width` columns that fits best."""
        start = without_grid(x, w)
        scale, best = start, zeros(f32x16)
        for i in range(tries + POLISH):
            tried = start * (1 + 0.15 * (i - tries // 2))
            if i >= tries:
                tried = scale
            a, b = picked(x, w, tried, room, room + 64 * 8)
            fit = a * inverse(b)
            gain = fit * a
            scale, best = where_less(best, gain, fit, scale), maximum(gain, best)
        return scale

    @device
    def without_grid(x, w):  # type: ignore[no-untyped-def]
        """Return the scale that fits best if every column had any value."""
        largest = absolute(furthest(x, width)) / top
        scale, best = largest, zeros(f32x16)
        for i in range(16):
            levels = inverse(largest * (0.4 + 0.05 * i))
            a, b = zeros(f32x16), zeros(f32x16)
            for j in range(width):
                q = nearest_value(column(x, j) * levels)
                wq = column(w, j) * q
                a, b = a + wq * column(x, j), b + wq * q
            fit = a * inverse(b)
            gain = fit * a
            scale, best = where_less(best, gain, fit, scale), maximum(gain, best)
        return scale

    return pick


@device
def odd(v, most):  # type: ignore[no-untyped-def]
    """Return the nearest odd number of 1 to 2 * most + 1."""
    number = round_to(f32x16, (v - 1) * 0.5)
    return minimum(maximum(number, zeros(f32x16)), splat(f32x16, most)) * 2 + 1


@device
def put_scales(out, at, scales, n):  # type: ignore[no-untyped-def]
    """Write n scales, four bits each, as n / 2 bytes."""
    for k in range(n // 2):
        first, second = quant(scales, 2 * k), quant(scales, 2 * k + 1)
        put_byte(out, at + k, put_above(shift_right(first, 1), shift_right(second, 1), 4))
