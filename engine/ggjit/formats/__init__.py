"""GGML tensor types, one file each, named as the type is."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ..gguf import GGMLType, Tensor
from .base import N_ROWS, Field, FloatLanes, Format, IntLanes, Lanes

__all__ = ["N_ROWS", "Field", "FloatLanes", "Format", "IntLanes", "Lanes", "all_formats", "find"]


def all_formats() -> dict[GGMLType, Format]:
    """Return every format by its GGML type."""
    return {kind: _format_of(kind) for kind in GGMLType}


def find(tensor: Tensor) -> Format:
    """Return the format of a tensor."""
    return _format_of(tensor.type)


@cache
def _format_of(kind: GGMLType) -> Format:
    return import_module(f"{__name__}.{kind.name.lower()}").FORMAT
