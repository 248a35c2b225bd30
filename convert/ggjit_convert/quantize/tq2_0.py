"""TQ2_0: 256 columns of -1, 0 and 1, where 1 is the value furthest from 0 (ggml-quants.c)."""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import absolute, store

from .columns import column, furthest, inverse, put_fours, put_half, round_half_away
from .encoder import Encoder


@device
def fill(x, out, d_at):  # type: ignore[no-untyped-def]
    """Write the scale as bytes `d_at` and on, and 0, 1 or 2 over the columns."""
    d = absolute(furthest(x, 256))
    put_half(out, d_at, d)
    levels = inverse(d)
    for j in range(256):
        store(x + 64 * j, round_half_away(column(x, j) * levels) + 1)


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fill(x, out, 64)
    put_fours(x, out, 0, 0)


ENCODER = Encoder(GGMLType.TQ2_0, plain)
