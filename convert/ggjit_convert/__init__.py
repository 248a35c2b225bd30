"""Checkpoints to GGUF files: reading, mapping, quantizing, writing. Never imports torch."""

from .conversion import convert
from .errors import CheckpointError

__all__ = ["CheckpointError", "convert"]
