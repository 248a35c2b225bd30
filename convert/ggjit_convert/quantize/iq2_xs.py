"""IQ2_XS: eight columns are one of 512 vectors and an even number of minus signs."""

from __future__ import annotations

from typing import Any

from ggjit.formats.iq2_xs import GRID, SIZES
from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above

from .columns import put_byte, put_half, quant
from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch, picking, put_scales, vectors
from .signs import taking
from .weights import by_importance, by_size

VECTORS = Grid(GRID, [size / 8 for size in SIZES])


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 16, weigh, taking(even=True), vectors(VECTORS, 16), 15)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, signs, scales = pick(x, importance, scratch)
        put_half(out, 0, unit)
        for k in range(32):
            both = put_above(quant(numbers, k), bit_field(quant(signs, k), 0, 7), 9)
            put_byte(out, 2 + 2 * k, both)
            put_byte(out, 3 + 2 * k, bit_field(both, 8, 8))
        put_scales(out, 66, scales, 16)

    return encode


ENCODER = Encoder(
    GGMLType.IQ2_XS,
    encoding(by_size(16, 0.3)),
    encoding(by_importance(16, 1.0)),
    n_scratch(VECTORS),
)
