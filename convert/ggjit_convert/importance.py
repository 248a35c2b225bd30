"""Importance matrices: how much each column of a matrix matters, by what activations were.

Read in llama.cpp's GGUF format and in its older one (tools/imatrix): sums of squared activations
of each column, and how many rows they are of; of experts, for each of them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ggjit.gguf import GGUFFile, open_gguf

from .arrays import Array, Floats

SUMS, COUNTS = ".in_sum2", ".counts"
ABOUT = "quantize.imatrix."
LARGEST = 1 << 30  # bytes of an old file; those of the largest models have some hundred MB


class Importance:
    """Means of squared activations by tensor. Shapes: [n_matrices, n_columns].

    `about` tells a quantized file what it was made with, by llama-quantize's keys.
    """

    def __init__(self, path: Path, means: Mapping[str, Floats]) -> None:
        self.path, self.means = path, means
        self.about: dict[str, str | int] = {
            f"{ABOUT}file": str(path), f"{ABOUT}entries_count": len(means)
        }  # fmt: skip

    def of(self, tensors: Mapping[str, Array]) -> dict[str, Floats]:
        """Return what fits the tensors. Raises: ValueError naming one that it does not fit."""
        found = {}
        for name, means in self.means.items():
            if name not in tensors:
                continue
            shape = tensors[name].shape
            n_matrices = shape[0] if len(shape) == 3 else 1
            if means.size == n_matrices * shape[-1]:  # files may have a stack's in one row
                means = means.reshape(n_matrices, shape[-1])
            if means.shape != (n_matrices, shape[-1]):
                is_of = f"is of {means.shape[0]} x {means.shape[1]} columns"
                raise ValueError(f"{self.path}: {name!r} {is_of}, the tensor is {list(shape)}")
            found[name] = means
        return found


def read_importance(path: Path) -> Importance:
    """Read an importance matrix. Raises: GGUFError; ValueError naming the field; OSError."""
    with path.open("rb") as file:
        opened = open_gguf(path) if file.read(4) == b"GGUF" else None
    means = _from_gguf(opened) if opened else _from_old(path)
    for name, values in means.items():
        if not np.isfinite(values).all() or (values < 0).any():
            raise ValueError(f"{path}: {name!r} has values that are no means of squares")
    importance = Importance(path, means)
    if opened:
        importance.about |= _about(opened)
    return importance


def _about(file: GGUFFile) -> dict[str, str | int]:
    """Return which text a file was made with, and how much of it."""
    about: dict[str, str | int] = {}
    if texts := file.get("imatrix.datasets", list, []):
        about[f"{ABOUT}dataset"] = texts[0]
    if n_chunks := file.get("imatrix.chunk_count", int, 0):
        about[f"{ABOUT}chunks_count"] = n_chunks
    return about


def _from_gguf(file: GGUFFile) -> dict[str, Floats]:
    means = {}
    for name, tensor in file.tensors.items():
        if not name.endswith(SUMS):
            continue
        base = name.removesuffix(SUMS)
        counts = file.tensors.get(base + COUNTS)
        if counts is None:
            raise ValueError(f"{file.path}: tensor {base + COUNTS!r} is missing")
        sums = tensor.data.view(np.float32).reshape(-1, tensor.shape[-1])
        means[base] = _mean(sums, counts.data.view(np.float32), str(file.path), base)
    if not means:
        raise ValueError(f"{file.path}: holds no importance matrix, looked for tensors *{SUMS}")
    return means


def _mean(sums: Floats, counts: Floats, path: str, name: str) -> Floats:
    """Return means; of experts that no token chose, 1: then all columns matter alike."""
    if counts.size not in (1, len(sums)):
        raise ValueError(f"{path}: {name!r} has {counts.size} counts for {len(sums)} matrices")
    rows = np.broadcast_to(counts.reshape(-1, 1), (len(sums), 1))
    return np.where(rows > 0, sums / np.maximum(rows, 1), np.float32(1)).astype(np.float32)


def _from_old(path: Path) -> dict[str, Floats]:
    """Read the old format: per entry a name, a number of calls, and their sums times the calls."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise ValueError(f"{path}: has {len(data)} bytes, an importance matrix at most {LARGEST}")
    at, means = 0, {}

    def take(n: int, what: str) -> bytes:
        nonlocal at
        if n < 0 or at + n > len(data):
            problem = "does not fit in the file; is it an importance matrix?"
            raise ValueError(f"{path}: {what} {problem}")
        at += n
        return data[at - n : at]

    def integer(what: str) -> int:
        return int(struct.unpack("<i", take(4, what))[0])

    for i in range(integer("number of entries")):
        name = take(integer("length of a name"), f"name {i}").decode("utf-8", "replace")
        n_calls, n_values = integer(f"calls of {name!r}"), integer(f"values of {name!r}")
        values = np.frombuffer(take(4 * n_values, f"values of {name!r}"), np.float32)
        means[name] = (values / np.float32(max(n_calls, 1))).reshape(1, -1)
    if not means:
        raise ValueError(f"{path}: holds no importance matrix")
    return means
