"""Q1_0: 128 columns of one bit share a float16 scale; value = d or -d."""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import in_turn
from .relaid import as_nibbles

BLOCK = np.dtype([("d", "<f2"), ("qs", "u1", 16)])


def integers(b: Records) -> Any:
    return 2 * in_turn(b["qs"], 1).astype(np.int8) - np.int8(1)


FORMAT = as_nibbles(GGMLType.Q1_0, BLOCK, integers)
