"""What lanes have in common: float16 scales, and 32 columns in the halves of 16 bytes."""

from ..jit import device
from ..simd.ops import high_nibbles, join, load, low_nibbles, to_f32
from ..simd.types import f16x16, tile, u8x64

NEGATIVE = 0x8000  # a float16's sign: what is subtracted is packed ready to be added
_FOUR = tile(u8x64, 4)


@device
def halves(p):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p))


@device
def front_scale(p, k):  # type: ignore[no-untyped-def]
    return halves(p)


@device
def nibbles(p):  # type: ignore[no-untyped-def]
    pairs = load(_FOUR, p)
    return join(low_nibbles(pairs), high_nibbles(pairs))
