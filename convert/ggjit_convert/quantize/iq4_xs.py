"""IQ4_XS: eight runs of IQ4_NL with scales of six bits (ggjit.formats.iq4_xs)."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, round_to, store, zeros
from ggjit.simd.types import i32x16

from .columns import (
    column,
    furthest,
    inverse,
    mean_square,
    put_byte,
    put_half,
    put_nibbles,
    quant,
)
from .encoder import Encoder
from .nonlinear import replace, search
from .symmetric import signed
from .weights import by_importance, by_square


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        scales, mean = scratch + 64 * 32, mean_square(x, 256)
        for k in range(8):
            weigh(x + 64 * 32 * k, importance + 4 * 32 * k, mean, scratch)
            store(scales + 64 * k, search(x + 64 * 32 * k, scratch))
        d = furthest(scales, 8) / -32
        put_half(out, 0, d)
        units = inverse(d)
        for k in range(8):
            s = signed(column(scales, k), units, 32)
            store(scales + 64 * k, round_to(i32x16, s + 32))
            replace(x + 64 * 32 * k, 32, inverse(d * s))
            put_nibbles(x + 64 * 32 * k, out, 8 + 16 * k)
        put_scales(scales, out)

    return encode


@device
def put_scales(scales, out):  # type: ignore[no-untyped-def]
    """Write the high two bits of eight scales as bytes 2 and 3, the low four as bytes 4 to 7."""
    high = zeros(i32x16)
    for k in range(8):
        high = put_above(high, bit_field(quant(scales, k), 4, 2), 2 * k)
    put_byte(out, 2, high)
    put_byte(out, 3, bit_field(high, 8, 8))
    for k in range(4):
        first, second = quant(scales, 2 * k), quant(scales, 2 * k + 1)
        put_byte(out, 4 + k, put_above(bit_field(first, 0, 4), bit_field(second, 0, 4), 4))


ENCODER = Encoder(
    GGMLType.IQ4_XS, encoding(by_square(32)), encoding(by_importance(32, 2.0)), n_scratch=40
)
