"""Models split over files `NAME-00001-of-0000N.gguf`, found from any one of them.

Metadata is the first shard's. A shard belongs to the set if its name, `split.no`, `split.count` and
`split.tensors.count` say so and it contradicts none of the first shard's keys.
Source: llama.cpp `llama_split_path`, tools/gguf-split.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import GGUFError, quoted
from .shard import Shard, read_shard
from .values import Value

SHARD_NAME = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf", re.DOTALL)
OWN_KEYS = ("split.no", "split.count", "split.tensors.count", "general.alignment")


class Place(NamedTuple):
    """What a shard's file name says: shard `number` (from 1) of `n_shards`."""

    stem: str
    number: int
    n_shards: int

    def sibling(self, path: Path, number: int) -> Path:
        return path.with_name(f"{self.stem}-{number:05d}-of-{self.n_shards:05d}.gguf")


def complete(opened: Shard) -> list[Shard]:
    """Return all shards of the set that `opened` belongs to, in order; itself if it is whole."""
    place = _place(opened)
    if place is None:
        return [opened]
    shards = []
    for number in range(1, place.n_shards + 1):
        path = place.sibling(opened.path, number)
        if not path.exists():
            problem = f"shard {number} of {place.n_shards} is missing: {path.name}"
            raise GGUFError(problem, path=opened.path, field="split.count")
    for number in range(1, place.n_shards + 1):
        own = number == place.number
        shard = opened if own else read_shard(place.sibling(opened.path, number))
        _check_place(shard, number, place.n_shards)
        shards.append(shard)
        _check_kinship(shard, shards[0])
    _check_tensors(shards)
    return shards


def _place(shard: Shard) -> Place | None:
    """Return where the shard stands by its name, None for a file that is whole."""
    count = _integer(shard, "split.count", 0)
    match = SHARD_NAME.fullmatch(shard.path.name)
    named = Place(match[1], int(match[2]), int(match[3])) if match else None
    if count <= 1 and (named is None or named.n_shards == 1):
        return None
    if named is None:
        problem = f"is {count}, so the file name must end in -00001-of-{count:05d}.gguf"
        raise GGUFError(problem, path=shard.path, field="split.count")
    if not 1 <= named.number <= named.n_shards:
        problem = f"there is no shard {named.number} of {named.n_shards}"
        raise GGUFError(problem, path=shard.path, field="file name")
    _check_place(shard, named.number, named.n_shards)
    return named


def _check_place(shard: Shard, number: int, count: int) -> None:
    if "split.count" not in shard.metadata.values:
        problem = f"is missing, but the file name says shard {number} of {count}"
        raise GGUFError(problem, path=shard.path, field="split.count")
    for key, expected in (("split.count", count), ("split.no", number - 1)):
        found = _integer(shard, key)
        if found != expected:
            problem = f"is {found}, but the file name says {expected}"
            raise GGUFError(problem, path=shard.path, field=key)


def _check_kinship(shard: Shard, first: Shard) -> None:
    """Refuse a shard of another model: one that gives a key of the first shard another value."""
    key = "split.tensors.count"
    if _integer(shard, key) != _integer(first, key):
        problem = f"is {_integer(shard, key)}, but {_integer(first, key)} in {first.path.name}"
        raise GGUFError(problem, path=shard.path, field=key)
    for key, value in shard.metadata.values.items():
        expected = first.metadata.values.get(key)
        if expected is not None and key not in OWN_KEYS and not _same(value, expected):
            problem = f"differs from {first.path.name}; is this a shard of another model?"
            raise GGUFError(problem, path=shard.path, field=key)


def _check_tensors(shards: list[Shard]) -> None:
    homes: dict[str, Path] = {}
    for shard in shards:
        for tensor in shard.tensors:
            if tensor.name in homes:
                problem = f"is also in {homes[tensor.name].name}"
                field = f"tensor {quoted(tensor.name)}"
                raise GGUFError(problem, path=shard.path, field=field)
            homes[tensor.name] = shard.path
    key = "split.tensors.count"
    expected = _integer(shards[0], key)
    if len(homes) != expected:
        problem = f"is {expected}, but the {len(shards)} shards hold {len(homes)} tensors"
        raise GGUFError(problem, path=shards[0].path, field=key)


def _integer(shard: Shard, key: str, default: int | None = None) -> int:
    value = shard.metadata.values.get(key, default)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = "it is missing" if value is None else f"found {shard.metadata.types[key]}"
    raise GGUFError(f"must be an integer, {found}", path=shard.path, field=key)


def _same(a: Value, b: Value) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    return type(a) is type(b) and a == b
