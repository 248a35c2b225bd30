"""TQ1_0: as TQ2_0, but five columns are one byte, in base 3 (ggjit.formats.tq1_0)."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import to_f32, to_i32, zeros
from ggjit.simd.types import i32x16

from .columns import put_byte, quant
from .encoder import Encoder
from .tq2_0 import fill


@device
def put_digits(x, out, at, first, n, stride):  # type: ignore[no-untyped-def]
    """Write column `first` and n - 1 more, `stride` apart, as a byte: a part of 243 in 256."""
    number = zeros(i32x16)
    for i in range(5):
        number = number * 3
        if i < n:
            number = number + quant(x, first + stride * i)
    put_byte(out, at, to_i32(to_f32(number * 256 + 242) / 243))


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fill(x, out, 52)
    for j in range(32):
        put_digits(x, out, j, j, 5, 32)
    for j in range(16):
        put_digits(x, out, 32 + j, 160 + j, 5, 16)
    for j in range(4):
        put_digits(x, out, 48 + j, 240 + j, 4, 4)


ENCODER = Encoder(GGMLType.TQ1_0, plain)
