"""Q8_1: Q8_0 with d * sum(q) beside the scale, which packing leaves out."""

import numpy as np

from ..gguf import GGMLType
from . import q8_0
from .base import Bytes, Format, Records
from .decoding import side_by_side

BLOCK = np.dtype([("d", "<f2"), ("s", "<f2"), ("qs", "i1", 32)])


def relay(b: Records) -> Bytes:
    return side_by_side(b["d"], b["qs"])


FORMAT = Format(GGMLType.Q8_1, BLOCK, q8_0.decode, q8_0.LANES, relay)
