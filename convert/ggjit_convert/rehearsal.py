"""The engine's forward pass over a file that is not written yet: is all there, and does it fit?"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from gguf import GGUFValueType

from ggjit.gguf import GGMLType, GGUFFile, Tensor, Value
from ggjit.gguf.shard import Shard
from ggjit.gguf.values import Metadata
from ggjit.graph.weights import MissingError, ShapeError
from ggjit.models import architecture_of
from ggjit.models.config import WrongValueError

from .architectures import Architecture
from .architectures.base import Tensors
from .errors import CheckpointError
from .keys import Keys, Pair

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
N_MADE = 1 << 16  # elements of a tensor that a forward pass may look into
MOST = 200  # problems, each of which takes another pass
TRIES = 3  # shapes of one tensor; used in two ways it has none that fits
Shape = tuple[int, ...]


def rehearsed(
    family: Architecture, tensors: Tensors, missing: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Return what is missing, with what is known to be, and a line for each of another shape.

    What the engine misses counts if it makes sense of everything else. Raises: CheckpointError for
    a value of the configuration that makes no sense, if tensors are not to blame.
    """
    shapes = {name: a.shape for name, a in tensors.items()}
    known, absent, right = list(missing), [], _right_rows(family, shapes)
    shapes |= {name: _like(name, shapes) for name in known} | right
    path, tries = family.checkpoint.path, Counter[str]()
    empty = [_empty(name, shape, path) for name, shape in shapes.items()]
    file = GGUFFile([Shard(path, 3, _metadata(family), empty, None)])
    while isinstance(error := _problem(file), MissingError | ShapeError):
        name, shape = _mended(error, shapes)
        tries[name] += 1
        is_part = isinstance(error, ShapeError) and name not in file.tensors
        if is_part or tries[name] > TRIES or tries.total() > MOST:
            break
        if name not in file.tensors:
            absent.append(name)
        if name in tensors and not (absent and 1 in shape):  # 1 may be of one that is missing
            right[name] = shape
        file.tensors[name] = _empty(name, shape, path)  # to see what else is wrong
    if isinstance(error, WrongValueError) and not (known or absent or right):
        raise CheckpointError(error.problem, path=family.checkpoint.config_path)
    wrong = [f"{n} {list(tensors[n].shape)} instead of {list(s)}" for n, s in right.items()]
    return known if error else known + absent, wrong


def _right_rows(family: Architecture, shapes: dict[str, Shape]) -> dict[str, Shape]:
    """Return an embedding that has a row for every token, if it lacks some; padding may follow."""
    n_vocab = family.h.integer("vocab_size", default=0)
    has = shapes.get(EMBEDDING, (n_vocab,))
    return {EMBEDDING: (n_vocab, *has[1:])} if has[0] < n_vocab else {}


def _like(name: str, shapes: dict[str, Shape]) -> Shape:
    """Return a shape to begin with: that of another layer, or one with as many axes."""
    part = re.sub(r"^blk\.\d+", "", name)
    known = (shape for other, shape in shapes.items() if other.endswith(part))
    n_axes = 1 if re.search(r"norm\.weight$|\.bias$", name) else 3 if "_exps." in name else 2
    alike = next(known, (1,) * n_axes)
    return shapes[OUTPUT] if name == EMBEDDING and OUTPUT in shapes else alike


def _mended(error: MissingError | ShapeError, shapes: dict[str, Shape]) -> tuple[str, Shape]:
    """Return a tensor's name, and a shape that is not refused for the same reason."""
    if isinstance(error, MissingError):
        return error.name, _like(error.name, shapes)
    has = error.tensor.shape
    sizes = [*has[: len(error.wanted)], *[1] * (len(error.wanted) - len(has))]
    return error.tensor.name, tuple(
        size or 1 if n is None else n for n, size in zip(error.wanted, sizes, strict=True)
    )


def _problem(file: GGUFFile) -> Exception | None:
    try:
        architecture_of(file).build(file)
    except (ValueError, AssertionError) as error:  # the engine's own limits are among them
        return error
    return None


def _metadata(family: Architecture) -> Metadata:
    keys = Keys(family.arch)
    family.write_keys(keys)
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
