"""GGML tensor types the engine computes with, one file each; a new file here is a new type."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import gguf

from .base import N_ROWS, Field, FloatLanes, Format, IntLanes, Lanes

__all__ = ["N_ROWS", "Field", "FloatLanes", "Format", "IntLanes", "Lanes", "all_formats", "find"]


@cache
def all_formats() -> dict[gguf.GGMLQuantizationType, Format]:
    """Return every format by its GGML type."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"]
    found = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return {f.type: f for f in found}


def find(kind: gguf.GGMLQuantizationType, tensor: str) -> Format:
    """Return the format of a tensor. Raises: ValueError naming the tensor and what is supported."""
    if kind not in all_formats():
        known = ", ".join(sorted(t.name for t in all_formats()))
        raise ValueError(f"tensor {tensor!r} has type {kind.name}; supported are {known}")
    return all_formats()[kind]
