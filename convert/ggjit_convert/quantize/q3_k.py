"""Q3_K: every 16 of 256 columns have a scale of six bits (ggjit.formats.q3_k)."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, to_i32, zeros
from ggjit.simd.types import i32x16

from .columns import column, put_byte, put_fours, quant
from .encoder import Encoder
from .symmetric import blocks, fitted_units
from .weights import by_importance, by_size

N_SCRATCH = 3 * 16
PLAIN = blocks(by_size(16, 0.0), fitted_units, 4, 32, 108)
WEIGHTED = blocks(by_importance(16, 2.0), fitted_units, 4, 32, 108)


@device
def put_scales(out, at, scales):  # type: ignore[no-untyped-def]
    """Write 16 scales as 12 bytes: their low four bits, then their high two."""
    for k in range(8):
        low, high = shifted(scales, k), shifted(scales, k + 8)
        put_byte(out, at + k, put_above(bit_field(low, 0, 4), bit_field(high, 0, 4), 4))
    for k in range(4):
        high = zeros(i32x16)
        for i in range(4):
            high = put_above(high, bit_field(shifted(scales, k + 4 * i), 4, 2), 2 * i)
        put_byte(out, at + 8 + k, high)


@device
def shifted(scales, k):  # type: ignore[no-untyped-def]
    return to_i32(column(scales, k)) + 32


def packing(block: Any) -> Any:
    """Return the device function that encodes with what `symmetric.blocks` returned."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        put_scales(out, 96, block(x, importance, out, scratch))
        for j in range(32):
            third = zeros(i32x16)
            for run in range(8):
                third = put_above(third, bit_field(quant(x, 32 * run + j), 2, 1), run)
            put_byte(out, j, third)
        put_fours(x, out, 32, 0)

    return encode


ENCODER = Encoder(GGMLType.Q3_K, packing(PLAIN), packing(WEIGHTED), N_SCRATCH)
