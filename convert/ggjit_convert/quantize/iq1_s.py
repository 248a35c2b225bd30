"""IQ1_S: eight columns are one of 2048 vectors of -1, 0 and 1, 32 are shifted by 1/8 up or down.

The shift that costs less is taken (ggjit.formats.iq1_s).
"""

from __future__ import annotations

from typing import Any

from ggjit.formats.iq1_s import GRID
from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, shift_right, splat, store, where_less, zeros
from ggjit.simd.types import f32x16, i32x16

from .columns import put_byte, put_half, quant
from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch, picking
from .signs import leave_signs
from .weights import by_importance, by_size

VECTORS = Grid(GRID, (-1, 0, 1))
DOWN = 1 << 11  # marks a number whose vector is shifted down


def shifted_vectors(width: int, n_shared: int) -> Any:
    """Return the device function that picks vectors for `width` columns (picked.py).

    `n_shared` vectors are shifted alike.
    """
    nearest, sums, n_groups = VECTORS.nearest(), VECTORS.sums(), width // (8 * n_shared)

    @device
    def picked(x, w, scale, numbers, room):  # type: ignore[no-untyped-def]
        a, b = zeros(f32x16), zeros(f32x16)
        for g in range(n_groups):
            part, own = 64 * 8 * n_shared * g, numbers + 64 * n_shared * g
            up = shifted(x + part, w + part, scale, 0.125, own, room + 64 * n_shared)
            down = shifted(x + part, w + part, scale, -0.125, room, room + 64 * n_shared)
            for k in range(n_shared):
                marked = quant(room, k) + DOWN
                store(own + 64 * k, where_less(down[2], up[2], marked, quant(own, k)))
            a = a + where_less(down[2], up[2], down[0], up[0])
            b = b + where_less(down[2], up[2], down[1], up[1])
        return a, b

    @device
    def shifted(x, w, scale, by, numbers, room):  # type: ignore[no-untyped-def]
        """Write numbers; return the sums that fit the scale, and what the vectors cost."""
        a, b, cost, shift = zeros(f32x16), zeros(f32x16), zeros(f32x16), splat(f32x16, by)
        for k in range(n_shared):
            part = 64 * 8 * k
            number, least = nearest(x + part, w + part, scale, shift, room)
            store(numbers + 64 * k, number)
            ak, bk = sums(x + part, w + part, number, shift)
            a, b, cost = a + ak, b + bk, cost + least
        return a, b, cost

    return picked


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 32, weigh, leave_signs, shifted_vectors(32, 4), 7, tries=1)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, _, scales = pick(x, importance, scratch)
        put_half(out, 0, unit)
        for k in range(8):
            word = zeros(i32x16)
            for i in range(4):
                number = quant(numbers, 4 * k + i)
                put_byte(out, 2 + 4 * k + i, number)
                word = put_above(word, bit_field(number, 8, 3), 3 * i)
            word = put_above(word, shift_right(quant(scales, k), 1), 12)
            word = put_above(word, bit_field(quant(numbers, 4 * k), 11, 1), 15)
            put_byte(out, 34 + 2 * k, word)
            put_byte(out, 35 + 2 * k, bit_field(word, 8, 8))

    return encode


ENCODER = Encoder(
    GGMLType.IQ1_S, encoding(by_size(32, 0.3)), encoding(by_importance(32, 2.0)), n_scratch(VECTORS)
)
