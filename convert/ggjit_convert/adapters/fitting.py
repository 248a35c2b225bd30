"""Where in a model the parts of an adapter belong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..architectures import Architecture
from ..arrays import Array
from .low_rank import LowRank
from .peft import Adapter, Pair

# Checkpoints and modules do not agree on where a model begins.
BEGINNING = re.compile(r"^((model|transformer|language_model)\.)+")
EMBEDDING, OUTPUT = "embed_tokens.weight", "lm_head.weight"


class Product(NamedTuple):
    """What is added to the weights of a name, and the factor it is added with."""

    name: str
    values: LowRank
    scale: float


class Fitted(NamedTuple):
    """Products, and tensors that replace the model's, by their names."""

    products: list[Product]
    whole: dict[str, Array]


def fitted(adapter: Adapter, family: Architecture, weights: Mapping[str, Array]) -> Fitted:
    """Find the tensors that an adapter changes. Without weights, modules' names are taken.

    Raises: CheckpointError naming all that are not there, or have another shape.
    """
    places = {_place(name): (name, a.shape) for name, a in weights.items()}
    found, absent, misfits = Fitted([], {}), [], []
    for own, part in _parts(adapter):
        if OUTPUT not in places and not isinstance(part, Pair) and EMBEDDING in places:
            places[OUTPUT] = OUTPUT, places[EMBEDDING][1]  # was the embedding, and is no more
        name, shape = places.get(_place(own), (own, None))
        if isinstance(part, Pair):
            # whether weights are transposed is the layer's matter, whatever fan_in_fan_out says
            product = part.product(name, bool(re.search(family.transposed, name)))
            found.products.append(Product(name, product, part.scale))
            has = product.shape
        else:
            found.whole[name] = part
            has = part.shape
        if weights and shape is None:
            absent.append(own)
        elif weights and shape != has:
            misfits.append(f"{own} {list(has)}")
    adapter.refuse(
        ("are not of this model", absent), ("have another shape than the model's", misfits)
    )
    return found


def _parts(adapter: Adapter) -> list[tuple[str, Pair | Array]]:
    pairs = [(f"{module}.weight", pair) for module, pair in adapter.pairs.items()]
    return [*pairs, *adapter.whole.items()]


def _place(name: str) -> str:
    """Return what checkpoints and modules agree on of a tensor's name."""
    return BEGINNING.sub("", name)
