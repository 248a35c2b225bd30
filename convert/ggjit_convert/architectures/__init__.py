"""Families of checkpoints, a file each: this folder's listing is what can be converted."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from ..errors import CheckpointError
from ..sources import Checkpoint
from .base import Architecture
from .nested import text_class

__all__ = ["Architecture", "architecture_of", "known_classes"]


def architecture_of(checkpoint: Checkpoint) -> Architecture:
    """Return how a checkpoint is converted. Raises: CheckpointError naming its class."""
    path = checkpoint.config_path
    if not checkpoint.config:
        raise CheckpointError("is missing: the folder is not a Hugging Face model", path=path)
    names = checkpoint.config.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise CheckpointError("must name a class", path=path, field="architectures")
    known, name = known_classes(), text_class(names[0], checkpoint.config)
    if name not in known:
        problem = f"{name!r} is not supported; supported: {', '.join(sorted(known))}"
        raise CheckpointError(problem, path=path, field="architectures")
    return known[name](checkpoint)


@cache
def known_classes() -> dict[str, type[Architecture]]:
    """Return the families by the classes that config.json names."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return Architecture.known
