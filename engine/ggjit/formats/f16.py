"""F16: IEEE half precision."""

import numpy as np

from ..gguf import GGMLType
from .base import EXPONENTS, Field, FloatLanes, Format
from .decoding import f32
from .lanes import halves

LANES = FloatLanes((Field(0, 2, 1, exponent=EXPONENTS[2]),), halves)
FORMAT = Format(GGMLType.F16, np.dtype("<f2"), f32, LANES)
