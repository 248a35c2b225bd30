"""Adapters merged into the weights of a model, in float32, a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ggjit.gguf import GGMLType

from ..architectures import Architecture
from ..architectures.base import Tensors
from ..arrays import Array, Floats
from ..plan import unused
from ..quantize import FLOATS
from ..sources import Checkpoint
from ..transforms import Combined, Moved, Read, Values, precision_of
from .fitting import OUTPUT, Product, fitted
from .peft import Adapter, Scaled


def merged(family: Architecture, adapters: Sequence[Scaled]) -> Checkpoint:
    """Return a family's checkpoint with adapters merged, one after the other.

    Raises: CheckpointError naming all tensors that do not fit the model.
    """
    tensors = dict(family.checkpoint.tensors)
    for adapter, scale in adapters:
        if adapter.settings.invocation:
            problem = "says when the adapter begins to act, which merged weights cannot"
            raise adapter.settings.h.error("alora_invocation_tokens", problem)
        _merge(tensors, adapter, scale, family)
    return replace(family.checkpoint, tensors=tensors)


def check_used(adapters: Sequence[Scaled], family: Architecture, found: Tensors) -> None:
    """Raise CheckpointError if something merged is not in the file to be."""
    lost = set(unused(dict(family.checkpoint.tensors), found)) if adapters else set()
    for adapter, _ in adapters:
        fits = fitted(adapter, family, family.checkpoint.tensors)
        names = [*(p.name for p in fits.products), *fits.whole]
        adapter.refuse(("have no place in this architecture", [n for n in names if n in lost]))


def notes(adapters: Sequence[Scaled], family: Architecture) -> list[str]:
    """Return a line for each adapter of an embedding that is the output as well."""
    if any(name.endswith(OUTPUT) for name in family.checkpoint.tensors):
        return []
    of_embedding = [a for a, _ in adapters if any(p.is_embedding for p in a.pairs.values())]
    what = "changes the embedding, and with it the output, which is the same tensor"
    return [f"{adapter.checkpoint.path} {what}" for adapter in of_embedding]


def _merge(tensors: Tensors, adapter: Adapter, scale: float, family: Architecture) -> None:
    fits = fitted(adapter, family, tensors)
    kept = [p.name for p in fits.products if not _holds_floats(tensors[p.name])]
    adapter.refuse(("belong to weights of integers", kept))
    for product in fits.products:
        tensors[product.name] = _added(tensors[product.name], product, scale)
    for name, a in fits.whole.items():
        tensors[name] = _replaced(tensors.get(name, a), a)


def _added(weights: Array, product: Product, scale: float) -> Array:
    """Return weights with a product added, times its scale and another."""
    factor = np.float32(scale * product.scale)
    kept = precision_of(weights)
    precision = kept if kept in FLOATS else GGMLType.F32

    def read(start: int, stop: int) -> Floats:
        added = product.values.rows(start, stop)
        added *= factor
        added += weights.rows(start, stop)
        return added

    what = "an adapter merged"
    return Combined(weights.name, weights.shape, read, (weights,), what, precision)


def _replaced(old: Array, by: Array) -> Array:
    """Return another tensor, told as what has become of the old one."""

    def take(read: Read, start: int, stop: int) -> Values:
        return read(by, start, stop)

    return Moved(by.name, by.shape, by.type, take, "replaced by an adapter's", (old,))


def _holds_floats(a: Array) -> bool:
    return a.type in FLOATS or a.type.n_columns > 1
