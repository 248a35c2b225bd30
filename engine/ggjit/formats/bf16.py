"""BF16: the upper half of a float32."""

import gguf
import numpy as np

from ..jit import device
from ..simd.ops import load, to_f32
from ..simd.types import bf16x16
from .base import Bytes, Field, FloatLanes, Floats, Format


def decode(blocks: Bytes) -> Floats:
    upper = np.ascontiguousarray(blocks).view(np.uint16).astype(np.uint32)
    return (upper << 16).view(np.float32)


@device
def values(p):  # type: ignore[no-untyped-def]
    return to_f32(load(bf16x16, p))


FORMAT = Format(gguf.GGMLQuantizationType.BF16, decode, FloatLanes((Field(0, 2, 1),), values))
