"""Where in a model the parts of an adapter belong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..architectures import Architecture
from ..architectures.nested import INNER
from ..arrays import Array
from .low_rank import LowRank
from .peft import Adapter, Pair, Tokens

# Checkpoints and modules do not agree on where a model begins.
BEGINNING = re.compile(rf"^((model|transformer|{INNER})\.)+")
EMBEDDING, OUTPUT = "embed_tokens.weight", "lm_head.weight"

Shape = tuple[int, ...]


class Product(NamedTuple):
    """What is added to the weights of a name, and the factor it is added with.

    Then rows are made as long as `magnitudes` say, if there are any.
    """

    name: str
    values: LowRank
    scale: float
    magnitudes: Array | None = None


class Fitted(NamedTuple):
    """What becomes of a model's tensors, by their names, in this order.

    `beneath` are what the adapter was trained upon, where that has other rows; `parted` is the
    embedding, if it was the output as well and only one of them is changed.
    """

    beneath: dict[str, Array]
    parted: str | None
    whole: dict[str, Array]
    tokens: list[tuple[str, Tokens]]
    products: list[Product]


def fitted(adapter: Adapter, family: Architecture, weights: Mapping[str, Array]) -> Fitted:
    """Find the tensors that an adapter changes. Without weights, modules' names are taken.

    Raises: CheckpointError naming all that are not there, or have another shape.
    """
    places = _Places(weights, family.h.flag("tie_word_embeddings"))
    beneath = {places.name(n): a for n, a in adapter.beneath.items() if places.resize(n, a.shape)}
    resized = {_place(n) for n, a in adapter.whole.items() if places.resize(n, a.shape)}
    whole = {places.checked(n, a.shape): a for n, a in adapter.whole.items()}
    tokens = [
        (places.checked(name, t.least_shape, or_more=True), t)
        for own, t in adapter.tokens.items() for name in places.tied(own)
    ]  # fmt: skip
    products = [_product(f"{m}.weight", pair, family, places) for m, pair in adapter.pairs.items()]
    adapter.refuse(
        ("are not of this model", places.absent),
        ("have another shape than the model's", places.misfits),
    )
    changed = {_place(name) for name in [*whole, *(p.name for p in products)]}
    parts = changed & {EMBEDDING, OUTPUT} and (EMBEDDING not in resized or OUTPUT in changed)
    parted = places.name(EMBEDDING) if places.is_one and parts else None
    return Fitted(beneath, parted, whole, tokens, products)


def _product(own: str, pair: Pair, family: Architecture, places: _Places) -> Product:
    name = places.name(own)
    # whether weights are transposed is the layer's matter, whatever fan_in_fan_out says
    is_turned = pair.is_embedding or bool(re.search(family.transposed, name))
    product = pair.product(name, is_turned)
    if pair.magnitudes is not None and (is_turned or pair.magnitudes.shape != product.shape[:1]):
        places.misfits.append(f"{own} (DoRA's magnitudes)")
    return Product(places.checked(own, product.shape), product, pair.scale, pair.magnitudes)


class _Places:
    """A model's tensors, by what checkpoints and modules agree on of their names."""

    def __init__(self, weights: Mapping[str, Array], is_tied: bool) -> None:
        self.names = {_place(name): name for name in weights}
        self.shapes = {_place(name): a.shape for name, a in weights.items()}
        self.absent: list[str] = []
        self.misfits: list[str] = []
        self.is_one = EMBEDDING in self.names and OUTPUT not in self.names
        self.is_tied = self.is_one or (is_tied and OUTPUT in self.names)
        if self.is_one:
            self.names[OUTPUT], self.shapes[OUTPUT] = OUTPUT, self.shapes[EMBEDDING]

    def name(self, own: str) -> str:
        """Return what the model calls a tensor of the adapter's."""
        return self.names.get(_place(own), own)

    def tied(self, own: str) -> list[str]:
        """Return a tensor's name and, of an embedding that is the output, that one's."""
        return [own, OUTPUT] if self.is_tied and _place(own) == EMBEDDING else [own]

    def checked(self, own: str, shape: Shape, *, or_more: bool = False) -> str:
        """Return the model's name of a tensor; note one of another shape, or fewer rows."""
        known = self.shapes.get(_place(own))
        if known is None:
            self.absent += [own] if self.names else []
        elif known != shape and not (or_more and known[1:] == shape[1:] and known > shape):
            self.misfits.append(f"{own} {list(shape)}")
        return self.name(own)

    def resize(self, own: str, shape: Shape) -> bool:
        """Let a vocabulary have other rows, those of the output as well if it is the embedding.

        Returns whether it has.
        """
        place = _place(own)
        known = self.shapes.get(place)
        if place not in (EMBEDDING, OUTPUT) or known in (None, shape) or known[1:] != shape[1:]:
            return False
        self.shapes |= dict.fromkeys(map(_place, self.tied(own)), shape)
        return True


def _place(name: str) -> str:
    return BEGINNING.sub("", name)
