"""A forward pass as data: operations on named buffers. No arrays, no backend, no model."""

from .builder import Graph
from .ops import (
    Add,
    Attention,
    Buffer,
    Combine,
    Embed,
    ExpertLinear,
    Linear,
    Op,
    RMSNorm,
    Rope,
    RopeSpec,
    Route,
    Routing,
    Select,
    SigmoidGate,
    SiluMul,
)
from .weights import Param, Weights

__all__ = [
    "Add",
    "Attention",
    "Buffer",
    "Combine",
    "Embed",
    "ExpertLinear",
    "Graph",
    "Linear",
    "Op",
    "Param",
    "RMSNorm",
    "Rope",
    "RopeSpec",
    "Route",
    "Routing",
    "Select",
    "SigmoidGate",
    "SiluMul",
    "Weights",
]
