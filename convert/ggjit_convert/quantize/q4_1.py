"""Q4_1: the smallest value becomes 0, the largest 15, in C's way of rounding; or a search.

Without importance the bytes are those of quantize_row_q4_1_ref (ggml-quants.c).
"""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import minimum, splat, store, to_i32, zeros
from ggjit.simd.types import f32x16, i32x16

from .affine import replace, search
from .columns import column, inverse, mean_square, put_half, put_nibbles, smallest_and_largest
from .encoder import Encoder
from .weights import by_importance

weigh = by_importance(32, 1.0)


@device
def fill(x, out, most):  # type: ignore[no-untyped-def]
    """Write scale and minimum as bytes 0 to 3, and quants of 0 to `most` over the columns."""
    low, high = smallest_and_largest(x, 32)
    d = (high - low) / most
    put_half(out, 0, d)
    put_half(out, 2, low)
    levels = inverse(d)
    for j in range(32):
        q = to_i32((column(x, j) - low) * levels + 0.5)
        store(x + 64 * j, minimum(q, splat(i32x16, most)))


def fitting(most: int) -> Any:
    """Return the device function that does as `fill`, with what fits best."""
    found = search(most, 32, -0.9, 0.05, 36)

    @device
    def fit(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        weigh(x, importance, mean_square(x, 32), scratch)
        d, low = found(x, scratch, scratch + 64 * 32)
        d, low = put_half(out, 0, d), put_half(out, 2, zeros(f32x16) - low)
        replace(x, 32, d, zeros(f32x16) - low, most)

    return fit


fit = fitting(15)


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fill(x, out, 15)
    put_nibbles(x, out, 4)


@device
def weighted(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fit(x, importance, out, scratch)
    put_nibbles(x, out, 4)


ENCODER = Encoder(GGMLType.Q4_1, plain, weighted, n_scratch=64)
