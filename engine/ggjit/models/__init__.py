"""Architectures, one file each: this folder's listing is the list of what is supported."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from ..gguf import GGUFFile, shown
from ..graph import Graph
from .registry import Architecture, register, registered

__all__ = ["Architecture", "architecture_of", "build", "register"]


def architecture_of(file: GGUFFile) -> Architecture:
    """Return the file's architecture. Raises: ValueError naming it and those supported."""
    _import_all()
    name = file.get("general.architecture", str)
    if name not in registered():
        known = ", ".join(sorted(registered()))
        raise ValueError(
            f"{file.path}: architecture {shown(name)} is not supported; supported: {known}"
        )
    return registered()[name]


def build(file: GGUFFile) -> Graph:
    """Return the forward pass of a file's model."""
    return architecture_of(file).build(file)


@cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
