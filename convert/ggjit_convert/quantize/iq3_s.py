"""IQ3_S: four columns are one of 512 vectors, whose signs are free (ggjit.formats.iq3_s)."""

from __future__ import annotations

from typing import Any

from ggjit.formats.iq3_s import GRID, SIZES
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

VECTORS = Grid(GRID, SIZES)


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 32, weigh, taking(even=False), vectors(VECTORS, 32), 15)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, signs, scales = pick(x, importance, scratch)
        put_half(out, 0, unit)
        for k in range(8):
            ninth = zeros(i32x16)
            for i in range(8):
                put_byte(out, 2 + 8 * k + i, quant(numbers, 8 * k + i))
                ninth = put_above(ninth, bit_field(quant(numbers, 8 * k + i), 8, 1), i)
            put_byte(out, 66 + k, ninth)
        for k in range(32):
            put_byte(out, 74 + k, quant(signs, k))
        put_scales(out, 106, scales, 8)

    return encode


ENCODER = Encoder(
    GGMLType.IQ3_S, encoding(by_size(32, 0.3)), encoding(by_importance(32, 2.0)), n_scratch(VECTORS)
)
