"""What IQ2_XXS and IQ3_XXS share: a word of signs and a scale for 32 columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ggjit.jit import device
from ggjit.simd.ops import shift_right

from .columns import bit_field, put_above, put_byte, put_half, put_word, quant
from .grid import Grid
from .picked import picking, vectors
from .signs import taking


def with_words(grid: Grid, first: int, step: int) -> Callable[[Any], Any]:
    """Return what makes an encoder of weights: the k-th word comes at `first` + `step` * k.

    The numbers of the vectors of 32 columns, a byte each, come at 2 + 8 * k.
    """
    n_vectors = 32 // grid.n_columns

    def encoding(weigh: Any) -> Any:
        """Return the device function that encodes with given weights."""
        pick = picking(grid, 32, weigh, taking(even=True), vectors(grid, 32), 15)

        @device
        def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
            unit, numbers, signs, scales = pick(x, importance, scratch)
            put_half(out, 0, unit)
            for k in range(8):
                for i in range(n_vectors):
                    put_byte(out, 2 + 8 * k + i, quant(numbers, n_vectors * k + i))
                put_signs_and_scale(out, first + step * k, signs + 64 * 4 * k, quant(scales, k))

        return encode

    return encoding


@device
def put_signs_and_scale(out, at, signs, scale):  # type: ignore[no-untyped-def]
    """Write four times seven signs and four bits of scale as a word."""
    word = bit_field(quant(signs, 0), 0, 7)
    for k in range(1, 4):
        word = put_above(word, bit_field(quant(signs, k), 0, 7), 7 * k)
    put_word(out, at, put_above(word, shift_right(scale, 1), 28))
