"""Models split over files, and made one again, as llama.cpp's gguf-split does.

Metadata goes into the first shard; every shard says which it is, of how many shards and tensors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ggjit.gguf import GGUFFile, Tensor, open_gguf
from ggjit.gguf.splits import OWN_KEYS, Place

from .header import ALIGNMENT_KEY
from .keys import Pair, Typed, pair
from .writing import File
from .written import copied

MAX_TENSORS = 128  # of a shard, where nothing else is asked for
SPLIT_KEYS = tuple(key for key in OWN_KEYS if key != ALIGNMENT_KEY)
UNITS = {"M": 10**6, "G": 10**9}
PADDED = 32  # gguf-split counts with this alignment, whichever the file has


def shards_of_count(tensors: Sequence[Tensor], most: int) -> list[list[Tensor]]:
    """Return shards of so many tensors."""
    if most < 1:
        raise ValueError(f"--split-max-tensors must be at least 1, not {most}")
    return [list(tensors[i : i + most]) for i in range(0, len(tensors), most)]


def shards_of_size(tensors: Sequence[Tensor], most: int) -> list[list[Tensor]]:
    """Return shards of at most so many bytes; a tensor that is larger has one for itself."""
    numbers, number, size = [], 0, 0
    for tensor in tensors:
        n_bytes = -(-tensor.data.nbytes // PADDED) * PADDED
        if size and size + n_bytes > most:
            number, size = number + 1, 0
        size += n_bytes
        numbers.append(number)
    by_shard = groupby(zip(numbers, tensors, strict=True), key=lambda item: item[0])
    return [[tensor for _, tensor in shard] for _, shard in by_shard]


def bytes_of(text: str) -> int:
    """Read `500M` or `2G`, in powers of ten as gguf-split has them. Raises: ValueError."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([MG])", text)
    if match is None:
        raise ValueError(f"--split-max-size must be like 500M or 2G, not {text!r}")
    return int(match[1]) * UNITS[match[2]]


def split(file: GGUFFile, prefix: Path, shards: Sequence[Sequence[Tensor]]) -> list[File]:
    """Return the files of a split model, PREFIX-00001-of-0000N.gguf."""
    if len(shards) >= 1 << 16:
        raise ValueError(f"{file.path}: {len(shards)} shards are more than a file can say")
    place = Place(prefix.name, 1, len(shards))
    files = []
    for number, tensors in enumerate(shards):
        pairs = own_pairs(file) if number == 0 else []
        pairs += [
            pair("split.no", Typed(number, "u16")),
            pair("split.tensors.count", Typed(len(file.tensors), "i32")),
            pair("split.count", Typed(len(shards), "u16")),
        ]
        path = place.sibling(prefix, number + 1)
        files.append(File(path, pairs, [copied(t) for t in tensors]))
    return files


def merge(path: Path, out: Path) -> File:
    """Return the one file that a set of shards makes.

    Raises: GGUFError for shards that make no set; ValueError for a file that is whole.
    """
    file = open_gguf(path)
    if "split.count" not in file.metadata:
        raise ValueError(f"{path}: has no split.count; it is whole")
    return File(out, own_pairs(file), [copied(t) for t in file.tensors.values()])


def own_pairs(file: GGUFFile) -> list[Pair]:
    """Return a model's metadata, that of its being split left out."""
    kept = {key: value for key, value in file.metadata.items() if key not in SPLIT_KEYS}
    return [pair(key, Typed(value, file.types[key])) for key, value in kept.items()]
