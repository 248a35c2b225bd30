"""Q5_K: as Q4_K with 32 levels; the fifth bits of column j of each run of 32 are byte 16 + j."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, zeros
from ggjit.simd.types import i32x16

from .affine import blocks, largest_first, search
from .columns import put_byte, quant
from .encoder import Encoder
from .q4_k import N_SCRATCH, put_six_bits
from .shared import fitted_units
from .weights import by_importance, by_size

PLAIN = blocks(search(31, 32, -0.5, 0.1, 15), by_size(32, 1.0), largest_first, 32, 31, 63, 0)
WEIGHTED = blocks(
    search(31, 32, -0.9, 0.05, 36), by_importance(32, 2.0), fitted_units, 32, 31, 63, 0
)


def packing(block: Any) -> Any:
    """Return the device function that encodes with what `affine.blocks` returned."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        put_six_bits(out, 4, block(x, importance, out, scratch))
        for j in range(32):
            fifth = zeros(i32x16)
            for pair in range(4):
                low, high = quant(x, 64 * pair + j), quant(x, 64 * pair + 32 + j)
                both = put_above(bit_field(low, 0, 4), bit_field(high, 0, 4), 4)
                put_byte(out, 48 + 32 * pair + j, both)
                fifth = put_above(fifth, bit_field(low, 4, 1), 2 * pair)
                fifth = put_above(fifth, bit_field(high, 4, 1), 2 * pair + 1)
            put_byte(out, 16 + j, fifth)

    return encode


ENCODER = Encoder(GGMLType.Q5_K, packing(PLAIN), packing(WEIGHTED), N_SCRATCH)
