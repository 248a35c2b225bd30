"""A forward pass as data: operations on named buffers. No arrays, no backend, no model."""

from .builder import Graph
from .ops import Add, Attention, Buffer, Embed, Linear, Op, RMSNorm, Rope, RopeSpec, Select, SiluMul
from .weights import Param, Weights

__all__ = [
    "Add",
    "Attention",
    "Buffer",
    "Embed",
    "Graph",
    "Linear",
    "Op",
    "Param",
    "RMSNorm",
    "Rope",
    "RopeSpec",
    "Select",
    "SiluMul",
    "Weights",
]
