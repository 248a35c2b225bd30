"""GGUF files with random weights in the shapes of known models, by way of the converter."""

from .checkpoint import Origin
from .known import SHAPES, TINY, config_of, small

__all__ = ["SHAPES", "TINY", "Origin", "config_of", "small"]
