"""Q2_K: every 16 of 256 columns have a scale and a minimum of four bits (ggjit.formats.q2_k)."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import put_above, to_i32

from .affine import blocks, largest_first, search
from .columns import column, put_byte, put_fours
from .encoder import Encoder
from .shared import fitted_units
from .weights import by_importance, by_size

N_SCRATCH = 2 * 16 + 4 * 16
PLAIN = blocks(search(3, 16, -0.5, 0.1, 15), by_size(16, 0.0), largest_first, 16, 3, 15, 80)
WEIGHTED = blocks(
    search(3, 16, -0.9, 0.05, 36), by_importance(16, 1.0), fitted_units, 16, 3, 15, 80
)


def packing(block: Any) -> Any:
    """Return the device function that encodes with what `affine.blocks` returned."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        scales = block(x, importance, out, scratch)
        for k in range(16):
            s, m = to_i32(column(scales, k)), to_i32(column(scales, k + 16))
            put_byte(out, k, put_above(s, m, 4))
        put_fours(x, out, 16, 0)

    return encode


ENCODER = Encoder(GGMLType.Q2_K, packing(PLAIN), packing(WEIGHTED), N_SCRATCH)
