"""What encoders are written with: columns in lanes, rounding as C does it, and bytes to write."""

from numba import float32

from ggjit.jit import device
from ggjit.simd.ops import (
    absolute,
    bit_field,
    bits,
    load,
    maximum,
    minimum,
    round_to,
    splat,
    store_bytes,
    to_f32,
    to_i32,
    where_less,
    zeros,
)
from ggjit.simd.types import f16x16, f32x16, u16x16

BELOW_HALF = float32(0.49999997)  # added to 0.5 it is 1 less half an ulp, which is rounded to 1


@device
def column(x, j):  # type: ignore[no-untyped-def]
    """Return column j of the block."""
    return load(f32x16, x + 64 * j)


@device
def put_byte(out, k, value):  # type: ignore[no-untyped-def]
    """Write the low bits of int32 as byte k of the block."""
    store_bytes(out + 16 * k, value)


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
