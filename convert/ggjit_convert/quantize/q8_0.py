"""Q8_0: the largest of 32 columns becomes 127 or -127 (ggml-quants.c, quantize_row_q8_0_ref)."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import absolute

from .columns import column, furthest, inverse, put_byte, put_half, round_half_away
from .encoder import Encoder


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    d = absolute(furthest(x, 32)) / 127
    put_half(out, 0, d)
    levels = inverse(d)
    for j in range(32):
        put_byte(out, 2 + j, round_half_away(column(x, j) * levels))


ENCODER = Encoder(GGMLType.Q8_0, plain)
