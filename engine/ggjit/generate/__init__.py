"""From logits to text: sessions, samplers, stopping, and the `Model` that a program holds.

A model's forward pass is an `Executor` (ggjit.backends), its text a `Tokenizer` (ggjit.text);
nothing here knows how either works.
"""

from ggjit.generate.generation import Generation, GenerationStats
from ggjit.generate.model import LoadStats, Model
from ggjit.generate.options import SamplingOptions
from ggjit.generate.sampler import Sampler
from ggjit.generate.session import Session
from ggjit.generate.stopping import StopRules

__all__ = [
    "Generation",
    "GenerationStats",
    "LoadStats",
    "Model",
    "Sampler",
    "SamplingOptions",
    "Session",
    "StopRules",
]
