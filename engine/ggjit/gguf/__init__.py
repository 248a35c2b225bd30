"""GGUF files: a bounds-checked reader over mapped files. No numba, nothing about models."""

from .errors import GGUFError, printable, quoted, shorten, shown
from .reader import GGUFFile, open_gguf
from .tensors import Tensor
from .types import GGMLType
from .values import Value

__all__ = [
    "GGMLType",
    "GGUFError",
    "GGUFFile",
    "Tensor",
    "Value",
    "open_gguf",
    "printable",
    "quoted",
    "shorten",
    "shown",
]
