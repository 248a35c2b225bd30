"""Q5_0: as Q4_0 with -16; the fifth bits of the 32 quants are a word of their own."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, zeros
from ggjit.simd.types import i32x16

from .columns import column, furthest, inverse, put_byte, put_half
from .encoder import Encoder
from .q4_0 import level


@device
def put_five_bits(out, j, first, second):  # type: ignore[no-untyped-def]
    """Write the low four bits of columns j and j + 16 behind the word of the high ones."""
    put_byte(out, 4 + j, put_above(bit_field(first, 0, 4), bit_field(second, 0, 4), 4))


@device
def put_word(out, k, word):  # type: ignore[no-untyped-def]
    """Write bytes k to k + 3."""
    for i in range(4):
        put_byte(out, k + i, bit_field(word, 8 * i, 8))


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    d = furthest(x, 32) / -16
    put_half(out, 0, d)
    levels, fifth = inverse(d), zeros(i32x16)
    for j in range(16):
        low, high = level(column(x, j), levels, 16), level(column(x, j + 16), levels, 16)
        put_five_bits(out + 32, j, low, high)
        fifth = put_above(fifth, bit_field(low, 4, 1), j)
        fifth = put_above(fifth, bit_field(high, 4, 1), j + 16)
    put_word(out, 2, fifth)


ENCODER = Encoder(GGMLType.Q5_0, plain)
