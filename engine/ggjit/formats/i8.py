"""I8: signed bytes, float32 once decoded or packed."""

from ..gguf import GGMLType
from .relaid import as_float32

FORMAT = as_float32(GGMLType.I8, "<i1")
