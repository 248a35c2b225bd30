"""F32: plain float32."""

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.ops import load
from ..simd.types import f32x16
from .base import EXPONENTS, Field, FloatLanes, Floats, Format, Records


def decode(b: Records) -> Floats:
    return b


@device
def values(p):  # type: ignore[no-untyped-def]
    return load(f32x16, p)


LANES = FloatLanes((Field(0, 4, 1, exponent=EXPONENTS[4]),), values)
FORMAT = Format(GGMLType.F32, np.dtype("<f4"), decode, LANES)
