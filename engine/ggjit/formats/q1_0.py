"""Q1_0: 128 columns of one bit share a float16 scale; value = d or -d."""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .relaid import as_nibbles

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 16)])
BYTES = np.arange(256, dtype=np.uint8)[:, None]
EIGHTS = (7 + 2 * in_turn(BYTES, 1)).view(np.uint64)[:, 0]  # the codes that a byte stands for


def codes(b: Records) -> Any:
    return EIGHTS[b["qs"]]


FORMAT = as_nibbles(GGMLType.Q1_0, BLOCK, codes)
