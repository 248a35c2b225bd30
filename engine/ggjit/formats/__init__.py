"""GGML tensor types the engine computes with, one file each; a new file here is a new type."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import gguf

from ..gguf import Tensor
from .base import N_ROWS, Field, FloatLanes, Format, IntLanes, Lanes

__all__ = ["N_ROWS", "Field", "FloatLanes", "Format", "IntLanes", "Lanes", "all_formats", "find"]


@cache
def all_formats() -> dict[gguf.GGMLQuantizationType, Format]:
    """Return every format by its GGML type."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"]
    found = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return {f.type: f for f in found}


def find(tensor: Tensor) -> Format:
    """Return the format of a tensor. Raises: ValueError naming it and what is supported."""
    if tensor.type not in all_formats():
        known = ", ".join(sorted(t.name for t in all_formats()))
        where = f"{tensor.path}: tensor {tensor.name!r}"
        raise ValueError(f"{where} has type {tensor.type.name}; supported are {known}")
    return all_formats()[tensor.type]
