"""Q2_0: 64 columns of two bits share a float16 scale; value = d * (q - 1)."""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .relaid import as_nibbles

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 16)])
BYTES = np.arange(256, dtype=np.uint8)[:, None]
FOURS = (7 + in_turn(BYTES, 2)).view(np.uint32)[:, 0]  # the codes that a byte stands for


def codes(b: Records) -> Any:
    return FOURS[b["qs"]]


FORMAT = as_nibbles(GGMLType.Q2_0, BLOCK, codes)
