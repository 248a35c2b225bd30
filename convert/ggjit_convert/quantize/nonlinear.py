"""The table of IQ4_NL and IQ4_XS: a scale searched for as their levels are, by trying.

The operations are quantize_row_iq4_nl_impl's (ggml-quants.c), one by one, so that without
importance bytes are the same.
"""

from itertools import pairwise

from ggjit.formats.iq4_nl import TABLE
from ggjit.jit import device
from ggjit.simd.lookup import staircase
from ggjit.simd.ops import absolute, splat, store, where_less, zeros
from ggjit.simd.types import f32x16

from .columns import column, furthest

LOWEST = TABLE[0]
TRIES = 7  # on both sides
NOTHING = 1e-15  # values below are zeros
VALUES = tuple(float(v) for v in TABLE)
HALF_WAY = tuple((a + b) / 2 for a, b in pairwise(VALUES))


nearest = staircase(HALF_WAY, VALUES)  # between two values the larger
number_of = staircase(HALF_WAY, tuple(range(16)))


@device
def replace(x, n, levels):  # type: ignore[no-untyped-def]
    """Write the numbers of the values nearest to x * levels over n columns."""
    for j in range(n):
        store(x + 64 * j, number_of(column(x, j) * levels))


@device
def search(x, w):  # type: ignore[no-untyped-def]
    """Return the best scale of 32 columns with the weights at w."""
    far, none = furthest(x, 32), zeros(f32x16)
    a, b = sums(x, w, 1 / (far / -LOWEST))
    scale = where_less(none, b, a / b, none)
    best = scale * a
    for i in range(-TRIES, TRIES + 1):
        a, b = sums(x, w, (i + LOWEST) / far)
        gain = where_less(none, b, a * a - best * b, none)
        scale = where_less(none, gain, a / b, scale)
        best = where_less(none, gain, scale * a, best)
    return where_less(absolute(far), splat(f32x16, NOTHING), none, scale)


@device
def sums(x, w, levels):  # type: ignore[no-untyped-def]
    """Return the sums of w times q * x and q * q for the values q nearest to x * levels."""
    a, b = zeros(f32x16), zeros(f32x16)
    for j in range(32):
        q = nearest(column(x, j) * levels)
        wq = column(w, j) * q
        a, b = a + wq * column(x, j), b + wq * q
    return a, b
