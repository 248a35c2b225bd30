"""The tensor table of a GGUF file and the checks that make its byte ranges safe to map."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .cursor import Cursor
from .errors import quoted
from .types import REMOVED, GGMLType

MAX_TENSORS = 1 << 20
MAX_DIMS = 4
MAX_NAME_BYTES = 63
MAX_DIM = (1 << 63) - 1
MIN_INFO_BYTES = 25  # a length, one character, n_dims of zero, a type, an offset


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor: `shape` is in NumPy order (rows, cols), `offset` counts from its file's start.

    `data` is a read-only uint8 view of the mapped file. It starts at a multiple of the file's
    alignment, which may be 1.
    """

    name: str
    type: GGMLType
    shape: tuple[int, ...]
    data: npt.NDArray[np.uint8] = field(repr=False)
    offset: int
    path: Path

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)


class TensorInfo(NamedTuple):
    """A row of the table; `offset` counts from the data section, `at` is where the row stands."""

    name: str
    type: GGMLType
    shape: tuple[int, ...]
    n_bytes: int
    offset: int
    at: int

    @property
    def field(self) -> str:
        return f"tensor {quoted(self.name)}"


def read_tensor_table(cursor: Cursor, n_tensors: int) -> list[TensorInfo]:
    """Read `n_tensors` rows; a name must not come twice."""
    table: list[TensorInfo] = []
    seen: set[str] = set()
    for i in range(n_tensors):
        at = cursor.offset
        name = _read_name(cursor, i, seen)
        seen.add(name)
        table.append(_read_info(cursor, name, at))
    return table


def check_layout(cursor: Cursor, table: list[TensorInfo], data_start: int, alignment: int) -> None:
    """Check that every tensor is aligned, inside the file, and apart from the others."""
    data_bytes = cursor.size - data_start
    for info in table:
        if info.offset % alignment:
            problem = f"offset {info.offset} is not a multiple of the alignment {alignment}"
            raise cursor.error(problem, info.field, info.at)
        if info.offset + info.n_bytes > data_bytes:
            end = data_start + info.offset + info.n_bytes
            problem = f"ends at byte {end}, but the file has {cursor.size}; is it incomplete?"
            raise cursor.error(problem, info.field, info.at)
    _check_overlap(cursor, table)


def _check_overlap(cursor: Cursor, table: list[TensorInfo]) -> None:
    stored = sorted((info for info in table if info.n_bytes), key=lambda info: info.offset)
    for before, info in pairwise(stored):
        if before.offset + before.n_bytes > info.offset:
            problem = f"offset {info.offset} lies inside {before.field}"
            raise cursor.error(problem, info.field, info.at)


def _read_name(cursor: Cursor, i: int, seen: set[str]) -> str:
    where, at = f"tensor {i} name", cursor.offset
    name = cursor.string(where, MAX_NAME_BYTES)
    if not name:
        raise cursor.error("is empty", where, at)
    if "\0" in name:
        raise cursor.error(f"{quoted(name)} contains a NUL character", where, at)
    if name in seen:
        raise cursor.error(f"{quoted(name)} is a duplicate", where, at)
    return name


def _read_info(cursor: Cursor, name: str, at: int) -> TensorInfo:
    where = f"tensor {quoted(name)}"
    dims = _read_dims(cursor, where)
    kind = _read_type(cursor, where)
    row = dims[0] if dims else 1
    if row % kind.n_columns:
        block = f"{kind.name} block of {kind.n_columns}"
        problem = f"rows of {row} elements are not a multiple of the {block}"
        raise cursor.error(problem, where, at)
    # Python integers: the product of four dimensions has no width to overflow.
    n_bytes = math.prod(dims[1:]) * (row // kind.n_columns) * kind.n_bytes
    offset = cursor.u64(where)
    return TensorInfo(name, kind, tuple(reversed(dims)), n_bytes, offset, at)


def _read_dims(cursor: Cursor, where: str) -> list[int]:
    at = cursor.offset
    n_dims = cursor.u32(where)
    if n_dims > MAX_DIMS:
        raise cursor.error(f"has {n_dims} dimensions, at most {MAX_DIMS} are allowed", where, at)
    dims = [cursor.u64(where) for _ in range(n_dims)]
    for dim in dims:
        if dim > MAX_DIM:
            raise cursor.error(f"dimension {dim} is larger than {MAX_DIM}", where, at)
    return dims


def _read_type(cursor: Cursor, where: str) -> GGMLType:
    at = cursor.offset
    number = cursor.u32(where)
    if number in REMOVED:
        name, instead = REMOVED[number]
        problem = f"type {number} ({name}) was removed from GGML; the model is needed as {instead}"
        raise cursor.error(problem, where, at)
    try:
        return GGMLType(number)  # type: ignore[call-arg]  # by value
    except ValueError:
        problem = f"has unknown type {number}, known are 0 to {int(max(GGMLType))}"
        raise cursor.error(problem, where, at) from None
