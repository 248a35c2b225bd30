"""Adapters merged into the weights of a model, in float32, a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ggjit.gguf import GGMLType

from ..architectures import Architecture
from ..architectures.base import Tensors
from ..arrays import INTEGERS, Array, Floats
from ..mapping import is_copy, unused
from ..quantize import FLOATS
from ..sources import Checkpoint, text_config
from ..transforms import Combined, Moved, Read, Values, precision_of
from .fitting import EMBEDDING, OUTPUT, Product, fitted
from .peft import Adapter, Scaled, Tokens


def merged(family: Architecture, adapters: Sequence[Scaled]) -> Checkpoint:
    """Return a family's checkpoint with adapters merged, one after the other.

    Raises: CheckpointError naming all tensors that do not fit the model.
    """
    checkpoint = family.checkpoint
    tensors, tokenizer = dict(checkpoint.tensors), checkpoint.tokenizer
    for adapter, scale in adapters:
        if adapter.settings.invocation:
            problem = "says when the adapter begins to act, which merged weights cannot"
            raise adapter.settings.h.error("alora_invocation_tokens", problem)
        _merge(tensors, adapter, scale, family)
        tokenizer = adapter.tokenizer or tokenizer
    config = _resized(checkpoint, tensors)
    return replace(checkpoint, config=config, tensors=tensors, tokenizer=tokenizer)


def check_used(adapters: Sequence[Scaled], family: Architecture, found: Tensors) -> None:
    """Raise CheckpointError if something merged is not in the file to be."""
    tensors = dict(family.checkpoint.tensors)
    lost = {n for n in unused(tensors, found) if not _is_tied(n, tensors)} if adapters else set()
    for adapter, _ in adapters:
        fits = fitted(adapter, family, tensors)
        names = [*(p.name for p in fits.products), *fits.whole, *(n for n, _ in fits.tokens)]
        adapter.refuse(("have no place in this architecture", [n for n in names if n in lost]))


def notes(adapters: Sequence[Scaled], base: Checkpoint, found: Tensors) -> list[str]:
    """Return a line for each adapter whose tokenizer is taken, or that changes tied weights."""
    lines = [f"the tokenizer is that of {a.tokenizer}" for a, _ in adapters if a.tokenizer][-1:]
    if any(name.endswith(OUTPUT) for name in base.tensors):
        return lines
    both = "changes the embedding, and with it the output, which is the same tensor"
    one = "changes the embedding or the output, which were one tensor: the file has both"
    return lines + [
        f"{adapter.checkpoint.path} {one if 'output.weight' in found else both}"
        for adapter, _ in adapters
        if any(f"{module}.weight".endswith((EMBEDDING, OUTPUT)) for module in adapter.pairs)
    ]


def _merge(tensors: Tensors, adapter: Adapter, scale: float, family: Architecture) -> None:
    fits = fitted(adapter, family, tensors)
    tensors |= {name: _replaced(tensors[name], a) for name, a in fits.beneath.items()}
    if fits.parted:
        tensors[OUTPUT] = tensors[fits.parted]
    tensors |= {name: _replaced(tensors.get(name, a), a) for name, a in fits.whole.items()}
    for name, tokens in fits.tokens:
        if name in tensors:  # else it is the embedding still
            tensors[name] = _with_rows(tensors[name], tokens)
    kept = [p.name for p in fits.products if tensors[p.name].type in INTEGERS]
    adapter.refuse(("belong to weights of integers", kept))
    for product in fits.products:
        tensors[product.name] = _added(tensors[product.name], product, scale)


def _is_tied(name: str, tensors: Tensors) -> bool:
    """Tell whether a tensor is an output that is the embedding still."""
    embeddings = [a for n, a in tensors.items() if n.endswith(EMBEDDING)]
    return name.endswith(OUTPUT) and any(is_copy(tensors[name], a) for a in embeddings)


def _resized(base: Checkpoint, tensors: Tensors) -> dict[str, Any]:
    """Return config.json with the number of tokens that a merged model has."""
    names = [name for name in base.tensors if name.endswith(EMBEDDING)]
    changed = [name for name in names if tensors[name].shape != base.tensors[name].shape]
    if not changed:
        return base.config
    size = {"vocab_size": tensors[changed[0]].shape[0]}
    inner = text_config(base.config)
    return base.config | size | ({"text_config": {**inner, **size}} if inner else {})


def _with_rows(old: Array, tokens: Tokens) -> Array:
    """Return a matrix with rows of some tokens replaced."""

    def read(start: int, stop: int) -> Floats:
        rows = np.array(old.rows(start, stop))
        values = tokens.values.rows(0, len(tokens.ids))
        for id, row in zip(tokens.ids, values, strict=True):
            if start <= id < stop:
                rows[id - start] = row
        return rows

    what = f"{len(tokens.ids)} rows replaced by an adapter's"
    return Combined(old.name, old.shape, read, (old,), what, _precision(old))


def _added(weights: Array, product: Product, scale: float) -> Array:
    """Return weights with a product added, times its scale and another; DoRA then sets lengths."""
    factor = np.float32(scale * product.scale)

    def read(start: int, stop: int) -> Floats:
        added = product.values.rows(start, stop)
        added *= factor
        added += weights.rows(start, stop)
        if product.magnitudes is not None:
            lengths = np.linalg.norm(added, axis=1)
            added *= (product.magnitudes.rows(start, stop) / lengths)[:, None]
        return added

    what = "an adapter merged"
    return Combined(weights.name, weights.shape, read, (weights,), what, _precision(weights))


def _replaced(old: Array, by: Array) -> Array:
    """Return another tensor, told as what has become of the old one."""

    def take(read: Read, start: int, stop: int) -> Values:
        return read(by, start, stop)

    return Moved(by.name, by.shape, by.type, take, "replaced by an adapter's", (old,))


def _precision(a: Array) -> GGMLType:
    kept = precision_of(a)
    return kept if kept in FLOATS else GGMLType.F32
