"""From logits to text: sessions, samplers, stopping, and the `Model` that a program holds.

A model's forward pass is an `Executor` (ggjit.backends), its text a `Tokenizer` (ggjit.text);
nothing here knows how either works.
"""

from ..backends import ContextFull
from .batch import BatchGeneration
from .generation import Generation
from .model import LoadStats, Model
from .options import SamplingOptions
from .reply import GenerationStats, Reply
from .sampler import Sampler
from .session import Session
from .stopping import StopRules

__all__ = [
    "BatchGeneration",
    "ContextFull",
    "Generation",
    "GenerationStats",
    "LoadStats",
    "Model",
    "Reply",
    "Sampler",
    "SamplingOptions",
    "Session",
    "StopRules",
]
