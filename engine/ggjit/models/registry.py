"""Who builds which architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..gguf import GGUFFile
from ..graph import Buffer, Graph, Linear, Select, Weights
from .config import Config

Forward = Callable[[Graph, Config, Weights], Buffer]


@dataclass(frozen=True)
class Architecture:
    """A GGUF architecture name and the function that writes its forward pass."""

    name: str
    forward: Forward

    def build(self, file: GGUFFile, n_context: int | None = None) -> Graph:
        """Run the model's function once over a file's hyperparameters and tensors.

        `n_context`: the context that will be used, where the mathematics depends on it (LongRoPE).
        Raises: ValueError for tensors and keys that have no place in the architecture.
        """
        graph, weights = Graph(), Weights(file.tensors, file.path)
        config = Config(file, n_context)
        output = self.forward(graph, config, weights)
        assert output is graph.output, "the last operation makes the logits"
        made_by = {type(op) for op in graph.ops if op.out.selected}
        assert {Select, Linear} <= made_by, "a matrix makes the logits of selected tokens"
        weights.expect_all_used()
        config.expect_all_read()
        return graph


_architectures: dict[str, Architecture] = {}


def register(*names: str) -> Callable[[Forward], Forward]:
    """Make a function the forward pass of the named architectures.

    Raises: ValueError for a name that another function has; its own next version may take it.
    """

    def decorate(forward: Forward) -> Forward:
        for name in names:
            found = _architectures.get(name)
            if found and _origin(found.forward) != _origin(forward):
                where = _origin(found.forward)
                raise ValueError(f"architecture {name!r} is registered already, by {where}")
            _architectures[name] = Architecture(name, forward)
        return forward

    return decorate


def _origin(forward: Forward) -> str:
    return f"{forward.__module__}.{forward.__qualname__}"


def registered() -> Mapping[str, Architecture]:
    """Return what is registered so far."""
    return MappingProxyType(_architectures)
