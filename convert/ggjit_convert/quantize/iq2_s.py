"""IQ2_S: eight columns are one of 1024 vectors, whose signs are free (ggjit.formats.iq2_s)."""

from __future__ import annotations

from typing import Any

from ggjit.formats.iq2_s import GRID
from ggjit.formats.iq2_xxs import SIZES
from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, zeros
from ggjit.simd.types import i32x16

from .columns import put_byte, put_half, quant
from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch, picking, put_scales, vectors
from .signs import taking
from .weights import by_importance, by_size

VECTORS = Grid(GRID, [size / 8 for size in SIZES])


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 16, weigh, taking(even=False), vectors(VECTORS, 16), 15)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, signs, scales = pick(x, importance, scratch)
        put_half(out, 0, unit)
        for k in range(8):
            high = zeros(i32x16)
            for i in range(4):
                number = quant(numbers, 4 * k + i)
                put_byte(out, 2 + 4 * k + i, number)
                put_byte(out, 34 + 4 * k + i, quant(signs, 4 * k + i))
                high = put_above(high, bit_field(number, 8, 2), 2 * i)
            put_byte(out, 66 + k, high)
        put_scales(out, 74, scales, 16)

    return encode


ENCODER = Encoder(
    GGMLType.IQ2_S, encoding(by_size(16, 0.3)), encoding(by_importance(16, 1.0)), n_scratch(VECTORS)
)
