"""Scales of a block as whole numbers of one unit, found by weighted least squares.

The idea is make_qp_quants' of ggml-quants.c: try some units, take the best, then change single
numbers as long as the fit improves.
"""

from ggjit.jit import device
from ggjit.simd.ops import fma, maximum, minimum, round_to, splat, store, where_less, zeros
from ggjit.simd.types import f32x16

from .columns import column, inverse, smallest_and_largest

ROUNDS = 5


@device
def whole(v, per_unit, most):  # type: ignore[no-untyped-def]
    return minimum(round_to(f32x16, v * per_unit), splat(f32x16, most))


@device
def fitted_units(values, weights, n, most):  # type: ignore[no-untyped-def]
    """Make n values of at least 0 whole numbers up to `most`; return their unit."""
    largest = maximum(smallest_and_largest(values, n)[1], zeros(f32x16))
    per_largest, best = inverse(largest), zeros(f32x16)
    least = splat(f32x16, 3e38)
    for i in range(-4, 5):
        per_unit, error = per_largest * (most + 0.1 * i), zeros(f32x16)
        unit = inverse(per_unit)
        for k in range(n):
            v = column(values, k)
            apart = v - unit * whole(v, per_unit, most)
            error = fma(column(weights, k), apart * apart, error)
        best = where_less(error, least, per_unit, best)
        least = minimum(error, least)
    return improved(values, weights, n, most, best)


@device
def improved(values, weights, n, most, per_unit):  # type: ignore[no-untyped-def]
    """Round by a unit, then change numbers one by one where the fit gets better."""
    q, none = weights + 64 * n, zeros(f32x16)
    a, b = none, none  # of w times q * v, q * q
    for k in range(n):
        w, level = column(weights, k), whole(column(values, k), per_unit, most)
        store(q + 64 * k, level)
        a, b = fma(w * level, column(values, k), a), fma(w * level, level, b)
    for _ in range(ROUNDS):
        for k in range(n):
            v, w, level = column(values, k), column(weights, k), column(q, k)
            a0, b0 = a - w * level * v, b - w * level * level
            other = maximum(whole(v, b0 * inverse(a0), most), none)
            a1, b1 = fma(w * other, v, a0), fma(w * other, other, b0)
            gain = where_less(none, minimum(a0, b0), a1 * a1 * b - a * a * b1, none)
            store(q + 64 * k, where_less(none, gain, other, level))
            a, b = where_less(none, gain, a1, a), where_less(none, gain, b1, b)
    for k in range(n):
        store(values + 64 * k, column(q, k))
    return where_less(none, b, a / b, none)
