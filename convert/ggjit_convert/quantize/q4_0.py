"""Q4_0: the value furthest from 0 becomes -8, in C's way of rounding (ggml-quants.c)."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import minimum, put_above, splat, to_i32
from ggjit.simd.types import i32x16

from .columns import column, furthest, inverse, put_byte, put_half
from .encoder import Encoder


@device
def level(v, levels, half):  # type: ignore[no-untyped-def]
    """Return a quant of 0 to 2 * half - 1, where half stands for 0."""
    return minimum(to_i32(v * levels + (half + 0.5)), splat(i32x16, 2 * half - 1))


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    d = furthest(x, 32) / -8
    put_half(out, 0, d)
    levels = inverse(d)
    for j in range(16):
        low, high = level(column(x, j), levels, 8), level(column(x, j + 16), levels, 8)
        put_byte(out, 2 + j, put_above(low, high, 4))


ENCODER = Encoder(GGMLType.Q4_0, plain)
