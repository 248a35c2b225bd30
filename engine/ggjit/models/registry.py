"""Who builds which architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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
        Raises: ValueError for tensors and keys that have no place in the architecture, and for
        a function that does not end with the logits of selected tokens.
        """
        graph, weights = Graph(), Weights(file.tensors, file.path)
        config = Config(file, n_context)
        output = self.forward(graph, config, weights)
        if not graph.ops or output is not graph.output:
            raise ValueError(f"architecture {self.name!r} does not return its last operation")
        if not {Select, Linear} <= {type(op) for op in graph.ops if op.out.selected}:
            makes = "makes no logits of selected tokens by a matrix"
            raise ValueError(f"architecture {self.name!r} {makes}: g.select, then g.linear")
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
        _architectures.update({name: Architecture(name, forward) for name in names})
        return forward

    return decorate


def _origin(forward: Forward) -> str:
    """Return where a function is from; a partial one from where the whole is."""
    made = forward.func if isinstance(forward, partial) else forward
    name = getattr(made, "__qualname__", type(made).__qualname__)
    return f"{made.__module__}.{name}"


def registered() -> Mapping[str, Architecture]:
    """Return what is registered so far."""
    return MappingProxyType(_architectures)
