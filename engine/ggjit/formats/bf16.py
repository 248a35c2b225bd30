"""BF16: the upper half of a float32."""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import load, to_f32
from ..simd.types import bf16x16
from .base import Field, FloatLanes, Floats, Format, Records


def decode(b: Records) -> Floats:
    return (b.astype(np.uint32) << 16).view(np.float32)


@device
def values(p):  # type: ignore[no-untyped-def]
    return to_f32(load(bf16x16, p))


LANES = FloatLanes((Field(0, 2, 1, exponent=0x7F80),), values)
FORMAT = Format(GGMLType.BF16, np.dtype("<u2"), decode, LANES, scales=decode)
