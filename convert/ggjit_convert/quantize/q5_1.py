"""Q5_1: as Q4_1 with 31; the fifth bits of the 32 quants are a word of their own."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, zeros
from ggjit.simd.types import i32x16

from .columns import column, inverse, put_half, smallest_and_largest
from .encoder import Encoder
from .q4_1 import level
from .q5_0 import put_five_bits, put_word


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    low, high = smallest_and_largest(x, 32)
    d = (high - low) / 31
    put_half(out, 0, d)
    put_half(out, 2, low)
    levels, fifth = inverse(d), zeros(i32x16)
    for j in range(16):
        first = level(column(x, j), low, levels, 31)
        second = level(column(x, j + 16), low, levels, 31)
        put_five_bits(out + 64, j, first, second)
        fifth = put_above(fifth, bit_field(first, 4, 1), j)
        fifth = put_above(fifth, bit_field(second, 4, 1), j + 16)
    put_word(out, 4, fifth)


ENCODER = Encoder(GGMLType.Q5_1, plain)
