"""Q4_K: every 32 of 256 columns have a scale and a minimum of six bits (ggjit.formats.q4_k)."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, to_i32

from .affine import blocks, largest_first, search
from .columns import column, put_byte, quant
from .encoder import Encoder
from .shared import fitted_units
from .weights import by_importance, by_size

N_SCRATCH = 2 * 32 + 4 * 8
PLAIN = blocks(search(15, 32, -1.0, 0.1, 20), by_size(32, 1.0), largest_first, 32, 15, 63, 0)
WEIGHTED = blocks(
    search(15, 32, -0.9, 0.05, 36), by_importance(32, 2.0), fitted_units, 32, 15, 63, 0
)


@device
def put_six_bits(out, at, scales):  # type: ignore[no-untyped-def]
    """Write eight scales and the eight minima behind them as 12 bytes."""
    for k in range(4):
        s, s4 = to_i32(column(scales, k)), to_i32(column(scales, k + 4))
        m, m4 = to_i32(column(scales, k + 8)), to_i32(column(scales, k + 12))
        put_byte(out, at + k, put_above(s, bit_field(s4, 4, 2), 6))
        put_byte(out, at + k + 4, put_above(m, bit_field(m4, 4, 2), 6))
        put_byte(out, at + k + 8, put_above(bit_field(s4, 0, 4), bit_field(m4, 0, 4), 4))


def packing(block: Any) -> Any:
    """Return the device function that encodes with what `affine.blocks` returned."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        put_six_bits(out, 4, block(x, importance, out, scratch))
        for pair in range(4):
            for j in range(32):
                low, high = quant(x, 64 * pair + j), quant(x, 64 * pair + 32 + j)
                put_byte(out, 16 + 32 * pair + j, put_above(low, high, 4))

    return encode


ENCODER = Encoder(GGMLType.Q4_K, packing(PLAIN), packing(WEIGHTED), N_SCRATCH)
