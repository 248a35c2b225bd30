"""MXFP4: a power of two that makes the largest value 4 to 8, rounded to 4-bit floats.

The bytes are those of quantize_row_mxfp4_ref (ggml-quants.c), except for blocks of numbers below
2**-124, where its exponent would be negative and becomes that of NaN.
"""

import numpy as np

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.lookup import staircase
from ggjit.simd.ops import (
    absolute,
    bit_field,
    bits,
    maximum,
    minimum,
    put_above,
    shift_left,
    splat,
    store,
    to_f32,
    where_less,
    zeros,
)
from ggjit.simd.types import f32x16, i32x16

from .columns import column, furthest, put_byte, put_nibbles
from .encoder import Encoder

LOG2_E = 1.442695
HALF_WAY = np.array([0.5, 1.5, 2.5, 3.5, 5, 7, 10], np.float32)
BOUNDS = np.nextafter(HALF_WAY, np.float32(99))  # between two floats the smaller is taken
number_of = staircase(tuple(map(float, BOUNDS)), tuple(range(8)))


@device
def exponent_of(size):  # type: ignore[no-untyped-def]
    """Return 127 + the whole part of C's log2f: just below a power of two that is the next."""
    word = bits(i32x16, size)
    next_power = bit_field(word, 23, 8) - 126
    half_mantissa = bits(f32x16, put_above(bit_field(word, 0, 23), splat(i32x16, 126), 23))
    log = to_f32(next_power) + (half_mantissa - 1) * LOG2_E
    return where_less(log, to_f32(next_power), next_power - 1, next_power) + 127


@device
def code(v, per_unit):  # type: ignore[no-untyped-def]
    """Return the 4-bit float nearest to v * per_unit / 2."""
    number = number_of(absolute(v) * per_unit)
    negative = where_less(zeros(i32x16), number, number + 8, number)
    return where_less(v, zeros(f32x16), negative, number)


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    e = maximum(exponent_of(absolute(furthest(x, 32))) - 2, zeros(i32x16))
    put_byte(out, 0, e)
    # 1 / 2**(e - 128); a float has no larger power than that of e = 1.
    per_unit = bits(f32x16, shift_left(minimum(splat(i32x16, 255) - e, splat(i32x16, 254)), 23))
    for j in range(32):
        store(x + 64 * j, code(column(x, j), per_unit))
    put_nibbles(x, out, 1)


ENCODER = Encoder(GGMLType.MXFP4, plain)
