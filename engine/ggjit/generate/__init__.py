"""From logits to text: sessions, samplers, stopping, and the `Model` that a program holds.

A model's forward pass is an `Executor` (ggjit.backends), its text a `Tokenizer` (ggjit.text);
nothing here knows how either works.
"""

from ..backends import ContextFull
from .generation import Generation, GenerationStats
from .model import LoadStats, Model
from .options import SamplingOptions
from .sampler import Sampler
from .session import Session
from .stopping import StopRules

__all__ = [
    "ContextFull",
    "Generation",
    "GenerationStats",
    "LoadStats",
    "Model",
    "Sampler",
    "SamplingOptions",
    "Session",
    "StopRules",
]
