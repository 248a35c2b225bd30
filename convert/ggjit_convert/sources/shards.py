"""Which files of a folder hold the tensors, and the tensors of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..arrays import Array
from ..errors import CheckpointError
from .files import inside
from .pytorch import read_pytorch
from .safetensors import read_safetensors
from .strict_json import read_json

Read = Callable[[Path], Mapping[str, Array]]
NUMBERED = re.compile(r"-\d+-of-(\d+)\.")

# Index and files of one kind of checkpoint, in the order they are looked for: a folder that has
# both has the same weights twice.
KINDS: list[tuple[str, str]] = [
    ("model.safetensors.index.json", "model*.safetensors"),
    ("consolidated.safetensors.index.json", "consolidated*.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model*.bin"),
    ("consolidated.pth.index.json", "consolidated*.pth"),
]
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")  # files of PEFT, in this order
READERS: dict[str, Read] = {
    ".safetensors": read_safetensors,
    ".bin": read_pytorch,
    ".pt": read_pytorch,
    ".pth": read_pytorch,
}


def has_weights(folder: Path) -> bool:
    """Tell whether a folder holds tensors of a model."""
    return any(inside(folder, i).exists() or any(folder.glob(p)) for i, p in KINDS)


def read_folder(folder: Path) -> dict[str, Array]:
    """Read the tensors of all shards of a folder.

    Raises: CheckpointError; OSError.
    """
    for index, pattern in KINDS:
        if (path := inside(folder, index)).exists():
            return _read_indexed(path)
        if names := sorted(path.name for path in folder.glob(pattern)):
            return _read_numbered(folder, names)
    known = ", ".join(pattern for _, pattern in KINDS)
    raise CheckpointError(f"holds no weights, looked for {known}", path=folder)


def read_file(path: Path) -> Mapping[str, Array]:
    """Read the tensors of one file, by what its name ends in."""
    if path.suffix in READERS:
        return READERS[path.suffix](path)
    if path.suffix == ".gguf":
        raise CheckpointError("is a GGUF file: ggjit quantize makes another of it", path=path)
    raise CheckpointError(f"is no checkpoint: expected {', '.join(READERS)}", path=path)


def _read_indexed(index: Path) -> dict[str, Array]:
    places = _weight_map(index)
    shards = [inside(index.parent, name, said_in=index) for name in sorted(set(places.values()))]
    for shard in shards:
        if not shard.exists():
            problem = f"names {shard.name!r}, which is not in the folder"
            raise CheckpointError(problem, path=index, field="weight_map")
    found = {shard.name: read_file(shard) for shard in shards}
    for name, shard_name in places.items():
        if name not in found[shard_name]:
            problem = f"says {name[:96]!r} is in {shard_name}, but it is not"
            raise CheckpointError(problem, path=index, field="weight_map")
    kept = {shard: _kept(shard, tensors, places) for shard, tensors in found.items()}
    return _together(kept, index.parent)


def _kept(shard: str, tensors: Mapping[str, Array], places: dict[str, str]) -> dict[str, Array]:
    """Leave out tensors that the index says are in another shard, which has them as well."""
    return {name: a for name, a in tensors.items() if places.get(name, shard) == shard}


def _weight_map(index: Path) -> dict[str, str]:
    places: Any = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError("must be an object", path=index, field="weight_map")
    if not all(isinstance(name, str) for name in places.values()):
        problem = "must name a file for each tensor"
        raise CheckpointError(problem, path=index, field="weight_map")
    return places


def _read_numbered(folder: Path, names: list[str]) -> dict[str, Array]:
    """Read files without an index; a number of shards in their names must be right."""
    if count := NUMBERED.search(names[0]):
        names = [name for name in names if NUMBERED.search(name)]
        if int(count[1]) != len(names):
            problem = f"names a set of {int(count[1])} files, {len(names)} are in the folder"
            raise CheckpointError(problem, path=folder / names[0])
    return _together({name: read_file(inside(folder, name)) for name in names}, folder)


def _together(shards: Mapping[str, Mapping[str, Array]], folder: Path) -> dict[str, Array]:
    tensors: dict[str, Array] = {}
    for shard_name, shard in shards.items():
        for name in shard:
            if name in tensors:
                problem = "is in another shard as well"
                field = f"tensor {name[:96]!r}"
                raise CheckpointError(problem, path=folder / shard_name, field=field)
        tensors.update(shard)
    return tensors
