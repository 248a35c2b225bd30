"""IQ2_XXS: eight columns are one of 256 vectors and an even number of minus signs."""

from __future__ import annotations

from typing import Any

from ggjit.formats.iq2_xxs import GRID, SIZES
from ggjit.gguf import GGMLType
from ggjit.jit import device

from .columns import put_byte, put_half, quant
from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch, picking, put_signs_and_scale, vectors
from .signs import taking
from .weights import by_importance, by_size

VECTORS = Grid(GRID, [size / 8 for size in SIZES])


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 32, weigh, taking(even=True), vectors(VECTORS, 32), 15)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, signs, scales = pick(x, importance, scratch)
        put_half(out, 0, unit)
        for k in range(8):
            for i in range(4):
                put_byte(out, 2 + 8 * k + i, quant(numbers, 4 * k + i))
            put_signs_and_scale(out, 6 + 8 * k, signs + 64 * 4 * k, quant(scales, k))

    return encode


ENCODER = Encoder(
    GGMLType.IQ2_XXS,
    encoding(by_size(32, 0.3)),
    encoding(by_importance(32, 1.0)),
    n_scratch(VECTORS),
)
