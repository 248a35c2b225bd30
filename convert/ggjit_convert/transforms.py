"""Tensors made of others, still read a few rows at a time.

What only moves elements keeps the type, and moves stored bytes as it moves floats: the last axis is
never cut, so that whole blocks of a block type move as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ggjit.gguf import GGMLType

from .arrays import Array, Bytes, Floats, made_of

Values = npt.NDArray[Any]
# Reads part of an array's first axis, as floats or as bytes
Read = Callable[[Array, int, int], Values]


@dataclass(frozen=True, eq=False)
class Moved:
    """An `Array` whose rows `take` puts together from what it reads of others.

    `what` says for a report how it is made of its `sources`.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLType
    take: Callable[[Read, int, int], Values]
    what: str
    sources: Sequence[Array]

    def rows(self, start: int, stop: int) -> Floats:
        return self.take(lambda a, first, last: a.rows(first, last), start, stop)

    def blocks(self, start: int, stop: int) -> Bytes:
        return self.take(lambda a, first, last: a.blocks(first, last), start, stop)


@dataclass(frozen=True, eq=False)
class Computed:
    """An `Array` of floats that `compute` makes of another's rows, each by itself.

    `moves_columns`: that it only does, so that of a product it concerns the right factor alone.
    """

    source: Array
    shape: tuple[int, ...]
    compute: Callable[[Floats], Floats]
    what: str
    type: GGMLType = GGMLType.F32
    moves_columns: bool = False

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def sources(self) -> Sequence[Array]:
        return (self.source,)

    def rows(self, start: int, stop: int) -> Floats:
        return np.ascontiguousarray(self.compute(self.source.rows(start, stop)), np.float32)

    def blocks(self, start: int, stop: int) -> Bytes:
        return _stored(self.rows(start, stop), self.type)


@dataclass(frozen=True, eq=False)
class Combined:
    """An `Array` of float32 whose rows `read` computes of its `sources`.

    `precision` is the type in which the model itself is meant to have it.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[int, int], Floats]
    sources: Sequence[Array]
    what: str
    precision: GGMLType = GGMLType.F32
    type: GGMLType = GGMLType.F32

    def rows(self, start: int, stop: int) -> Floats:
        return np.ascontiguousarray(self.read(start, stop), np.float32)

    def blocks(self, start: int, stop: int) -> Bytes:
        return self.rows(start, stop).view(np.uint8)


def precision_of(a: Array) -> GGMLType:
    """Return an array's type; of what was decoded, or merged, that in which models have it.

    No engine computes in F64.
    """
    if a.type is GGMLType.F64:
        return GGMLType.F32
    if a.type is not GGMLType.F32:
        return a.type
    found = {one.precision for one in made_of(a) if isinstance(one, Combined)}
    return found.pop() if len(found) == 1 else a.type


def computed(a: Array, compute: Callable[[Floats], Floats], what: str) -> Array:
    """Apply a function to rows; `what` says which."""
    return Computed(a, a.shape, compute, what)


def columns_ordered(a: Array, order: npt.NDArray[np.intp]) -> Array:
    """Take columns in another order."""
    type = GGMLType.F32 if a.type.n_columns > 1 else a.type
    what = "columns in another order"
    return Computed(a, a.shape, lambda x: x[..., order], what, type, moves_columns=True)


def floats(name: str, values: npt.ArrayLike) -> Array:
    """Hold values that no checkpoint has."""
    kept = np.asarray(values, np.float32)

    def take(read: Read, start: int, stop: int) -> Values:
        return kept[start:stop]

    return Moved(name, kept.shape, GGMLType.F32, take, "made of hyperparameters", ())


def ordered(a: Array, order: npt.NDArray[np.intp]) -> Array:
    """Take rows in another order, or some of them."""

    def take(read: Read, start: int, stop: int) -> Values:
        wanted = order[start:stop]
        first = int(wanted.min(initial=len(order)))
        return read(a, first, int(wanted.max(initial=first - 1)) + 1)[wanted - first]

    n_all = a.shape[0]
    what = "rows in another order" if len(order) == n_all else f"{len(order)} of {n_all} rows"
    return Moved(a.name, (len(order), *a.shape[1:]), a.type, take, what, (a,))


def part(a: Array, start: int, stop: int, step: int = 1) -> Array:
    """Take some rows."""
    return ordered(a, np.arange(start, stop, step))


def inner_part(a: Array, which: slice) -> Array:
    """Take part of the second axis of three or more, or of a stack of vectors."""
    n = len(range(*which.indices(a.shape[1])))

    def take(read: Read, start: int, stop: int) -> Values:
        return read(a, start, stop)[:, which]

    what = f"{n} of {a.shape[1]} along axis 1"
    return Moved(a.name, (a.shape[0], n, *a.shape[2:]), a.type, take, what, (a,))


def joined(arrays: Sequence[Array]) -> Array:
    """Put the rows of several one behind the other."""
    arrays = of_one_type(arrays)
    ends = np.cumsum([a.shape[0] for a in arrays])

    def take(read: Read, start: int, stop: int) -> Values:
        parts = []
        for a, end in zip(arrays, ends.tolist(), strict=True):
            n, begin = a.shape[0], end - a.shape[0]
            if (first := max(start - begin, 0)) < (last := min(stop - begin, n)):
                parts.append(read(a, first, last))
        return np.concatenate(parts)

    shape = (int(ends[-1]), *arrays[0].shape[1:])
    what = f"joined with {len(arrays) - 1} more"
    return Moved(arrays[0].name, shape, arrays[0].type, take, what, arrays)


def side_by_side(arrays: Sequence[Array]) -> Array:
    """Put the columns of several one behind the other."""
    arrays = of_one_type(arrays)

    def take(read: Read, start: int, stop: int) -> Values:
        return np.concatenate([read(a, start, stop) for a in arrays], -1)

    shape = (*arrays[0].shape[:-1], sum(a.shape[-1] for a in arrays))
    what = f"side by side with {len(arrays) - 1} more"
    return Moved(arrays[0].name, shape, arrays[0].type, take, what, arrays)


def stacked(arrays: Sequence[Array]) -> Array:
    """Put several of one shape into one, along a new first axis."""
    arrays = of_one_type(arrays)

    def take(read: Read, start: int, stop: int) -> Values:
        return np.stack([read(a, 0, a.shape[0]) for a in arrays[start:stop]])

    shape, what = (len(arrays), *arrays[0].shape), f"stacked with {len(arrays) - 1} more"
    return Moved(arrays[0].name, shape, arrays[0].type, take, what, arrays)


def reshaped(a: Array, *shape: int) -> Array:
    """Give it another shape; the last axis stays or loses axes of 1 before it.

    Raises: ValueError if it has another number of elements.
    """
    if math.prod(shape) != math.prod(a.shape):
        raise ValueError(f"tensor {a.name!r} has the shape {a.shape}, which cannot become {shape}")

    def take(read: Read, start: int, stop: int) -> Values:
        if a.shape[0] % shape[0] or shape[0] == 1:  # not whole rows: all of it
            return read(a, 0, a.shape[0]).reshape(*shape[:-1], -1)[start:stop]
        n = a.shape[0] // shape[0]
        return read(a, start * n, stop * n).reshape(stop - start, *shape[1:-1], -1)

    return Moved(a.name, shape, a.type, take, "reshaped", (a,))


def transposed(a: Array) -> Array:
    """Exchange the last two axes."""
    if len(a.shape) == 2:
        return Transposed(a, (a.shape[1], a.shape[0]))
    shape = (*a.shape[:-2], a.shape[-1], a.shape[-2])
    return Computed(a, shape, lambda x: x.swapaxes(-1, -2), "transposed", a.type)


@dataclass(frozen=True, eq=False)
class Transposed:
    """The transpose of a matrix."""

    source: Array
    shape: tuple[int, ...]
    what: str = "transposed"

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def sources(self) -> Sequence[Array]:
        return (self.source,)

    @property
    def type(self) -> GGMLType:
        return self.source.type

    def rows(self, start: int, stop: int) -> Floats:
        columns = self.source.rows(0, self.source.shape[0])[:, start:stop]
        return np.ascontiguousarray(columns.T)

    def blocks(self, start: int, stop: int) -> Bytes:
        return _stored(self.rows(start, stop), self.type)


def of_one_type(arrays: Sequence[Array]) -> Sequence[Array]:
    """Return arrays as they are if they have one type, else as float32."""
    if len({a.type for a in arrays}) == 1:
        return arrays
    return [Computed(a, a.shape, lambda x: x, "as float32") for a in arrays]


def _stored(rows: Floats, kind: GGMLType) -> Bytes:
    """Return values as the float type they came from has them."""
    if kind is GGMLType.F16:
        return rows.astype(np.float16).view(np.uint8)
    if kind is GGMLType.BF16:
        return (rows.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    assert kind is GGMLType.F32
    return rows.view(np.uint8)
