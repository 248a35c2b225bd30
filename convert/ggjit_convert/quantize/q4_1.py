"""Q4_1: the smallest value becomes 0, the largest 15, in C's way of rounding (ggml-quants.c)."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import minimum, put_above, splat, to_i32
from ggjit.simd.types import i32x16

from .columns import column, inverse, put_byte, put_half, smallest_and_largest
from .encoder import Encoder


@device
def level(v, low, levels, most):  # type: ignore[no-untyped-def]
    """Return a quant of 0 to `most`."""
    return minimum(to_i32((v - low) * levels + 0.5), splat(i32x16, most))


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    low, high = smallest_and_largest(x, 32)
    d = (high - low) / 15
    put_half(out, 0, d)
    put_half(out, 2, low)
    levels = inverse(d)
    for j in range(16):
        first, second = column(x, j), column(x, j + 16)
        both = put_above(level(first, low, levels, 15), level(second, low, levels, 15), 4)
        put_byte(out, 4 + j, both)


ENCODER = Encoder(GGMLType.Q4_1, plain)
