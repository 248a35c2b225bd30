"""Q2_0: 64 columns of two bits share a float16 scale; value = d * (q - 1)."""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .relaid import as_nibbles

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 16)])


def integers(b: Records) -> Any:
    return in_turn(b["qs"], 2).astype(np.int8) - np.int8(1)


FORMAT = as_nibbles(GGMLType.Q2_0, BLOCK, integers)
