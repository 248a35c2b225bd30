"""The engine's forward pass over a file that is not written yet: does every tensor fit?"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from gguf import GGUFValueType

from ggjit.gguf import GGMLType, GGUFFile, Tensor, Value
from ggjit.gguf.shard import Shard
from ggjit.gguf.values import Metadata
from ggjit.graph.weights import ShapeError
from ggjit.models import architecture_of

from .architectures.base import Tensors
from .errors import CheckpointError
from .keys import Keys, Pair
from .plan import SHOWN, listed

N_MADE = 1 << 16  # elements of a tensor that a forward pass may look into


def check_shapes(keys: Keys, tensors: Tensors, path: Path) -> None:
    """Raise CheckpointError naming tensors of a checkpoint that have other shapes than keys say."""
    empty = [_empty(name, array.shape, path) for name, array in tensors.items()]
    file = GGUFFile([Shard(path, 3, _metadata(keys), empty, None)])
    wrong: dict[str, str] = {}
    while len(wrong) <= SHOWN and (error := _misfit(file)):
        name, shape = error.tensor.name, error.tensor.shape
        if name not in file.tensors or name in wrong:
            break  # a part of one, or one that is used in two ways
        wanted = [have if n is None else n for n, have in zip(error.wanted, shape, strict=False)]
        wanted += [n or 1 for n in error.wanted[len(shape) :]]
        file.tensors[name] = _empty(name, tuple(wanted), path)  # to see what else is wrong
        wrong[name] = f"{name} {list(shape)} instead of {wanted}"
    if wrong:
        problem = listed("have other shapes than config.json says", list(wrong.values()))
        raise CheckpointError(problem[0], path=path)


def _misfit(file: GGUFFile) -> ShapeError | None:
    try:
        architecture_of(file).build(file)
    except ShapeError as error:
        return error
    except (ValueError, AssertionError):
        return None  # what else the engine may miss keeps nobody from a file for other engines
    return None


def _metadata(keys: Keys) -> Metadata:
    pairs = keys.pairs()
    values = {p.name: _as_read(p) for p in pairs}
    return Metadata(values, {p.name: p.kind.name.lower() for p in pairs})


def _as_read(pair: Pair) -> Value:
    """Return a value as a reader of the file has it: numbers of an array in an array."""
    is_plain = pair.item_kind in (None, GGUFValueType.STRING)
    value: Value = pair.value if is_plain else np.asarray(pair.value)
    return value


def _empty(name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    """Return a tensor without memory; a small one is of ones."""
    n = math.prod(shape)
    if n <= N_MADE:
        data = np.ones(n, np.float32).view(np.uint8)
    else:
        data = np.broadcast_to(np.uint8(0), (4 * n,))
    return Tensor(name, GGMLType.F32, shape, data, 0, path)
