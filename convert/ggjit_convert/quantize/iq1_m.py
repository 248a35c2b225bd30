"""IQ1_M: as IQ1_S, with a scale for 16 columns and a shift for eight (ggjit.formats.iq1_m)."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, bits, put_above, round_to, shift_right, to_i32
from ggjit.simd.types import f16x16, u16x16

from .columns import put_byte, quant
from .encoder import Encoder
from .iq1_s import VECTORS, shifted_vectors
from .picked import n_scratch, picking
from .signs import leave_signs
from .weights import by_importance, by_size


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""
    pick = picking(VECTORS, 16, weigh, leave_signs, shifted_vectors(16, 1), 7, tries=1)

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        unit, numbers, _, scales = pick(x, importance, scratch)
        for k in range(32):
            put_byte(out, k, quant(numbers, k))
        for k in range(16):
            low, high = quant(numbers, 2 * k), quant(numbers, 2 * k + 1)
            put_byte(out, 32 + k, put_above(bit_field(low, 8, 4), bit_field(high, 8, 4), 4))
        put_scales(out, 48, scales, to_i32(bits(u16x16, round_to(f16x16, unit))))

    return encode


@device
def put_scales(out, at, scales, unit):  # type: ignore[no-untyped-def]
    """Write four words of four scales; above them a word has four bits of the unit."""
    for k in range(4):
        word = shift_right(quant(scales, 4 * k), 1)
        for i in range(1, 4):
            word = put_above(word, shift_right(quant(scales, 4 * k + i), 1), 3 * i)
        word = put_above(word, bit_field(unit, 4 * k, 4), 12)
        put_byte(out, at + 2 * k, word)
        put_byte(out, at + 2 * k + 1, bit_field(word, 8, 8))


ENCODER = Encoder(
    GGMLType.IQ1_M, encoding(by_size(16, 0.3)), encoding(by_importance(16, 2.0)), n_scratch(VECTORS)
)
