"""How well a model predicts a text, and how far it is from another that predicts the same text."""

from .divergence import Divergence, divergence, log_softmax, pooled
from .estimate import Estimate, mean
from .logits_file import LogitsFile, LogitsWriter
from .windows import compare, cut, score

__all__ = [
    "Divergence",
    "Estimate",
    "LogitsFile",
    "LogitsWriter",
    "compare",
    "cut",
    "divergence",
    "log_softmax",
    "mean",
    "pooled",
    "score",
]
