"""Signs apart from sizes: eight columns have a byte of them, in some types with an even number."""

from __future__ import annotations

from typing import Any

from ggjit.jit import device
from ggjit.simd.ops import absolute, bit_field, minimum, put_above, splat, store, where_less, zeros
from ggjit.simd.types import f32x16, i32x16

from .columns import column


def taking(even: bool) -> Any:
    """Return the device function that makes 256 columns sizes and writes 32 bytes of signs.

    even: where the number of minus signs is odd, the column that it costs least gets the wrong one,
    and its size is negative.
    """

    @device
    def take_signs(x, w, signs):  # type: ignore[no-untyped-def]
        for k in range(32):
            part, byte, odd = x + 64 * 8 * k, zeros(i32x16), zeros(i32x16)
            for i in range(8):
                minus = where_less(column(part, i), zeros(f32x16), splat(i32x16, 1), zeros(i32x16))
                byte, odd = put_above(byte, minus, i), odd + minus
                store(part + 64 * i, absolute(column(part, i)))
            if even:
                byte = flipped(part, w + 64 * 8 * k, byte, bit_field(odd, 0, 1))
            store(signs + 64 * k, byte)

    return take_signs


@device
def leave_signs(x, w, signs):  # type: ignore[no-untyped-def]
    """Do nothing, where values have signs themselves."""


@device
def flipped(x, w, byte, odd):  # type: ignore[no-untyped-def]
    """Turn the sign that matters least where `odd` is 1; return the byte."""
    least, which = splat(f32x16, 3e38), zeros(i32x16)
    for i in range(8):
        cost = column(w, i) * column(x, i) * column(x, i)
        which = where_less(cost, least, splat(i32x16, i), which)
        least = minimum(cost, least)
    which = where_less(zeros(i32x16), odd, which, splat(i32x16, 8))
    for i in range(8):
        here = equal(which, i)
        minus = where_less(zeros(i32x16), here, zeros(f32x16) - column(x, i), column(x, i))
        store(x + 64 * i, minus)
        turned = byte + (1 - 2 * bit_field(byte, i, 1)) * (1 << i)
        byte = where_less(zeros(i32x16), here, turned, byte)
    return byte


@device
def equal(v, i):  # type: ignore[no-untyped-def]
    """Return 1 where an int32 is i, else 0."""
    one = where_less(v, splat(i32x16, i + 1), splat(i32x16, 1), zeros(i32x16))
    return where_less(v, splat(i32x16, i), zeros(i32x16), one)
