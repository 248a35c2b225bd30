"""F32: plain float32."""

import gguf
import numpy as np

from ..jit import device
from ..simd.ops import load
from ..simd.types import f32x16
from .base import Bytes, Field, FloatLanes, Floats, Format


def decode(blocks: Bytes) -> Floats:
    return np.ascontiguousarray(blocks).view(np.float32)


@device
def values(p):  # type: ignore[no-untyped-def]
    return load(f32x16, p)


FORMAT = Format(gguf.GGMLQuantizationType.F32, decode, FloatLanes((Field(0, 4, 1),), values))
