"""TQ2_0: 256 columns of two bits share a float16 scale; value = d * (q - 1).

Each 32 bytes hold four runs of 32 columns (ggml-quants.c).
"""

from typing import Any

import numpy as np

from ..gguf import GGMLType
from .base import Records
from .decoding import planes
from .relaid import as_nibbles

BLOCK = np.dtype([("qs", "u1", (2, 32)), ("d", "<f2")])


def codes(b: Records) -> Any:
    return planes(b["qs"], 2) + np.uint8(7)


FORMAT = as_nibbles(GGMLType.TQ2_0, BLOCK, codes)
