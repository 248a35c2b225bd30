"""Who builds which architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..gguf import GGUFFile
from ..graph import Buffer, Graph, Weights
from .config import Config

Forward = Callable[[Graph, Config, Weights], Buffer]


@dataclass(frozen=True)
class Architecture:
    """A GGUF architecture name and the function that writes its forward pass."""

    name: str
    forward: Forward

    def build(self, file: GGUFFile) -> Graph:
        """Run the model's function once over a file's hyperparameters and tensors."""
        graph, weights = Graph(), Weights(file.tensors, file.path)
        output = self.forward(graph, Config(file), weights)
        assert output is graph.output, "the last operation makes the logits"
        weights.expect_all_used()
        return graph


_architectures: dict[str, Architecture] = {}


def register(*names: str) -> Callable[[Forward], Forward]:
    """Make a function the forward pass of the named architectures."""

    def decorate(forward: Forward) -> Forward:
        _architectures.update({name: Architecture(name, forward) for name in names})
        return forward

    return decorate


def registered() -> Mapping[str, Architecture]:
    """Return what is registered so far."""
    return MappingProxyType(_architectures)
