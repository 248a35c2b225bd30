"""e to the x for float32 vectors, within 1 ulp; 0 below -87 and infinity above 88.37."""

from numba import float32, int32

from ..jit import device
from ..simd.ops import (
    add,
    bits,
    fma,
    maximum,
    minimum,
    mul,
    round_to,
    shift_left,
    splat,
    to_f32,
    where_less,
)
from ..simd.types import f32x16, i32x16


@device
def exp(x):  # type: ignore[no-untyped-def]
    """Reduce to |r| <= ln(2)/2 with ln 2 in two parts, then Taylor's polynomial of degree 7."""
    low = splat(f32x16, float32(-87.0))
    bounded = minimum(splat(f32x16, float32(88.5)), maximum(low, x))  # in an order that keeps NaN
    n = round_to(i32x16, mul(bounded, splat(f32x16, float32(1.4426950408889634))))
    f = to_f32(n)
    r = fma(f, splat(f32x16, float32(-0.693145751953125)), bounded)
    r = fma(f, splat(f32x16, float32(-1.428606765330187e-06)), r)
    p = splat(f32x16, float32(1 / 5040))
    p = fma(p, r, splat(f32x16, float32(1 / 720)))
    p = fma(p, r, splat(f32x16, float32(1 / 120)))
    p = fma(p, r, splat(f32x16, float32(1 / 24)))
    p = fma(p, r, splat(f32x16, float32(1 / 6)))
    p = fma(p, r, splat(f32x16, float32(0.5)))
    p = fma(p, r, splat(f32x16, float32(1)))
    p = fma(p, r, splat(f32x16, float32(1)))
    power = bits(f32x16, shift_left(add(n, splat(i32x16, int32(127))), 23))
    return where_less(x, low, splat(f32x16, float32(0)), mul(p, power))
