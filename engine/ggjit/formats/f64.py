"""F64: double precision, float32 once decoded or packed."""

from ..gguf import GGMLType
from .relaid import as_float32

FORMAT = as_float32(GGMLType.F64, "<f8")
