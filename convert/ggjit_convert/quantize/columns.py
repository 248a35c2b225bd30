"""What encoders are written with: columns in lanes, rounding as C does it, and bytes to write."""

from numba import float32

from ggjit.jit import device
from ggjit.simd.ops import (
    absolute,
    bit_field,
    bits,
    fma,
    load,
    maximum,
    minimum,
    put_above,
    round_to,
    splat,
    store_bytes,
    to_f32,
    to_i32,
    where_less,
    zeros,
)
from ggjit.simd.types import f16x16, f32x16, i32x16, u16x16

BELOW_HALF = float32(0.49999997)  # added to 0.5 it is 1 less half an ulp, which is rounded to 1


@device
def column(x, j):  # type: ignore[no-untyped-def]
    """Return column j of the block."""
    return load(f32x16, x + 64 * j)


@device
def quant(x, j):  # type: ignore[no-untyped-def]
    """Return the whole number that was written over column j."""
    return load(i32x16, x + 64 * j)


@device
def put_byte(out, k, value):  # type: ignore[no-untyped-def]
    """Write the low bits of int32 as byte k of the block."""
    store_bytes(out + 16 * k, value)


@device
def put_word(out, k, word):  # type: ignore[no-untyped-def]
    """Write int32 as bytes k to k + 3."""
    for i in range(4):
        put_byte(out, k + i, bit_field(word, 8 * i, 8))


@device
def put_nibbles(x, out, at):  # type: ignore[no-untyped-def]
    """Write the low four bits of 32 quants as 16 bytes: those of j and j + 16 in one."""
    for j in range(16):
        low, high = bit_field(quant(x, j), 0, 4), bit_field(quant(x, j + 16), 0, 4)
        put_byte(out, at + j, put_above(low, high, 4))


@device
def put_fives(x, out, at):  # type: ignore[no-untyped-def]
    """Write the fifth bits of 32 quants as a word of 4 bytes, then their nibbles."""
    word = zeros(i32x16)
    for j in range(32):
        word = put_above(word, bit_field(quant(x, j), 4, 1), j)
    put_word(out, at, word)
    put_nibbles(x, out, at + 4)


@device
def put_fours(x, out, at, low):  # type: ignore[no-untyped-def]
    """Write bits `low` and low + 1 of 256 quants as 64 bytes, each of four runs of 32 columns."""
    for half in range(2):
        for j in range(32):
            four = zeros(i32x16)
            for run in range(4):
                two = bit_field(quant(x, 128 * half + 32 * run + j), low, 2)
                four = put_above(four, two, 2 * run)
            put_byte(out, at + 32 * half + j, four)


@device
def half(v):  # type: ignore[no-untyped-def]
    """Round to what a float16 holds."""
    return to_f32(round_to(f16x16, v))


@device
def put_half(out, k, value):  # type: ignore[no-untyped-def]
    """Write float32 as a float16, bytes k and k + 1; return it as rounded."""
    half = round_to(f16x16, value)
    word = to_i32(bits(u16x16, half))
    put_byte(out, k, word)
    put_byte(out, k + 1, bit_field(word, 8, 8))
    return to_f32(half)


@device
def inverse(d):  # type: ignore[no-untyped-def]
    """Return 1 / d, and 0 where d is 0."""
    return where_less(zeros(f32x16), absolute(d), 1 / d, zeros(f32x16))


@device
def round_half_away(v):  # type: ignore[no-untyped-def]
    """Round to int32 as C's `roundf` does."""
    half = splat(f32x16, BELOW_HALF)
    return to_i32(v + where_less(v, zeros(f32x16), zeros(f32x16) - half, half))


@device
def furthest(x, n):  # type: ignore[no-untyped-def]
    """Return the value furthest from 0, the first of those that are."""
    far, size = zeros(f32x16), zeros(f32x16)
    for j in range(n):
        v = column(x, j)
        far = where_less(size, absolute(v), v, far)
        size = maximum(absolute(v), size)
    return far


@device
def smallest_and_largest(x, n):  # type: ignore[no-untyped-def]
    low, high = column(x, 0), column(x, 0)
    for j in range(1, n):
        low, high = minimum(column(x, j), low), maximum(column(x, j), high)
    return low, high


@device
def mean_square(x, n):  # type: ignore[no-untyped-def]
    total = zeros(f32x16)
    for j in range(n):
        total = fma(column(x, j), column(x, j), total)
    return total / n
