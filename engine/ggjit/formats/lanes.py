"""What lanes have in common: float16 scales, and 32 columns in the halves of 16 bytes."""

from __future__ import annotations

from typing import Any

from ..jit import device
from ..simd.ops import high_nibbles, join, load, low_nibbles, mul, to_f32
from ..simd.types import f16x16, tile, u8x64
from .base import BlockScales, Field, IntLanes

NEGATIVE = 0x8000  # a float16's sign: what is subtracted is packed ready to be added
_FOUR = tile(u8x64, 4)


@device
def halves(p):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p))


@device
def second_halves(p):  # type: ignore[no-untyped-def]
    """The float16 behind the first, of 16 rows."""
    return halves(p + 32)


@device
def front_scale(p, k):  # type: ignore[no-untyped-def]
    return halves(p)


@device
def nibbles(p):  # type: ignore[no-untyped-def]
    pairs = load(_FOUR, p)
    return join(low_nibbles(pairs), high_nibbles(pairs))


def block_lanes(
    fields: tuple[Field, ...], quants: Any, scales: BlockScales, **more: Any
) -> IntLanes:
    """Return lanes whose scales and minima are integers of a block."""
    d, s, dmin, m = scales.d, scales.s, scales.dmin, scales.m

    @device
    def scale(p, k):  # type: ignore[no-untyped-def]
        return mul(d(p), to_f32(s(p, k)))

    @device
    def minimum(p, k):  # type: ignore[no-untyped-def]
        return mul(dmin(p), to_f32(m(p, k)))

    return IntLanes(fields, quants, scale, minimum if m else None, of_block=scales, **more)
