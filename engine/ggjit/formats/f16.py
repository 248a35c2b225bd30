"""F16: IEEE half precision."""

import gguf
import numpy as np

from ..jit import device
from ..simd.ops import load, to_f32
from ..simd.types import f16x16
from .base import Bytes, Field, FloatLanes, Floats, Format


def decode(blocks: Bytes) -> Floats:
    return np.ascontiguousarray(blocks).view(np.float16).astype(np.float32)


@device
def values(p):  # type: ignore[no-untyped-def]
    return to_f32(load(f16x16, p))


FORMAT = Format(gguf.GGMLQuantizationType.F16, decode, FloatLanes((Field(0, 2, 1),), values))
