"""IQ3_XXS: four columns are one of 256 vectors, eight have an even number of minus signs."""

from __future__ import annotations

from typing import Any

from ggjit.formats.iq3_xxs import GRID, SIZES
from ggjit.gguf import GGMLType
from ggjit.jit import device

from .columns import put_byte, put_half, quant
from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch, picking, put_signs_and_scale, vectors
from .signs import taking
from .weights import by_importance, by_size

VECTORS = Grid(GRID, [size / 4 for size in SIZES])


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 32, weigh, taking(even=True), vectors(VECTORS, 32), 15)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, signs, scales = pick(x, importance, scratch)
        put_half(out, 0, unit)
        for k in range(64):
            put_byte(out, 2 + k, quant(numbers, k))
        for k in range(8):
            put_signs_and_scale(out, 66 + 4 * k, signs + 64 * 4 * k, quant(scales, k))

    return encode


ENCODER = Encoder(
    GGMLType.IQ3_XXS,
    encoding(by_size(32, 0.3)),
    encoding(by_importance(32, 2.0)),
    n_scratch(VECTORS),
)
