"""The fast backend: a graph becomes a tape of compiled kernels, run by threads without Python."""

from .executor import CPUExecutor

__all__ = ["CPUExecutor"]
