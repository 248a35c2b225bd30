"""I16: 16-bit integers, float32 once decoded or packed."""

from ..gguf import GGMLType
from .relaid import as_float32

FORMAT = as_float32(GGMLType.I16, "<i2")
