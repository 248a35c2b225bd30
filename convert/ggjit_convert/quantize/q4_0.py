"""Q4_0: the value furthest from 0 becomes -8, in C's way of rounding; with importance, a search.

Without importance the bytes are those of quantize_row_q4_0_ref (ggml-quants.c).
"""

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import minimum, splat, store, to_i32
from ggjit.simd.types import i32x16

from .columns import column, furthest, inverse, mean_square, put_half, put_nibbles
from .encoder import Encoder
from .symmetric import replace, search
from .weights import by_importance

weigh = by_importance(32, 1.0)


@device
def fill(x, out, most):  # type: ignore[no-untyped-def]
    """Write the scale as bytes 0 and 1, and quants of 0 to 2 * most - 1 over the columns."""
    d = furthest(x, 32) / -most
    put_half(out, 0, d)
    levels = inverse(d)
    for j in range(32):
        q = to_i32(column(x, j) * levels + (most + 0.5))
        store(x + 64 * j, minimum(q, splat(i32x16, 2 * most - 1)))


@device
def fit(x, importance, out, w, most):  # type: ignore[no-untyped-def]
    """Do as `fill`, with the scale that fits best; `w` is the address of 32 vectors."""
    weigh(x, importance, mean_square(x, 32), w)
    replace(x, 32, put_half(out, 0, search(x, w, 32, most)), most)


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fill(x, out, 8)
    put_nibbles(x, out, 2)


@device
def weighted(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fit(x, importance, out, scratch, 8)
    put_nibbles(x, out, 2)


ENCODER = Encoder(GGMLType.Q4_0, plain, weighted, n_scratch=32)
