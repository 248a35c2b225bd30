"""Q6_K: every 16 of 256 columns have a signed scale of eight bits (ggjit.formats.q6_k)."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device
from ggjit.simd.ops import bit_field, put_above, to_i32

from .columns import column, put_byte, put_fours, quant
from .encoder import Encoder
from .symmetric import blocks, furthest_first
from .weights import by_importance_alone, by_square

N_SCRATCH = 3 * 16
PLAIN = blocks(by_square(16), furthest_first, 32, 128, 208)
WEIGHTED = blocks(by_importance_alone(16), furthest_first, 32, 128, 208)


def packing(block: Any) -> Any:
    """Return the device function that encodes with what `symmetric.blocks` returned."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        scales = block(x, importance, out, scratch)
        for i in range(128):
            j = 128 * (i // 64) + i % 64
            low, high = bit_field(quant(x, j), 0, 4), bit_field(quant(x, j + 64), 0, 4)
            put_byte(out, i, put_above(low, high, 4))
        put_fours(x, out, 128, 4)
        for k in range(16):
            put_byte(out, 192 + k, to_i32(column(scales, k)))

    return encode


ENCODER = Encoder(GGMLType.Q6_K, packing(PLAIN), packing(WEIGHTED), N_SCRATCH)
