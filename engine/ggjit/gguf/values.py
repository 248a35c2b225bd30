"""The key-value pairs of a GGUF file: thirteen value types, arrays of all but arrays.

Source: ggml `docs/gguf.md` and `gguf.h`; type names are those that ggml prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .cursor import Cursor
from .errors import GGUFError, quoted

Value: TypeAlias = "str | int | float | bool | list[str] | npt.NDArray[Any]"

MAX_KEYS = 1 << 16
MAX_KEY_BYTES = (1 << 16) - 1
MIN_PAIR_BYTES = 14  # a length, one character, a type, one byte of value
MAX_ALIGNMENT = 1 << 20
DEFAULT_ALIGNMENT = 32


class Number(NamedTuple):
    """How a number is named, and read alone or as the element of an array."""

    name: str
    layout: Struct
    dtype: np.dtype[Any]


def _number(name: str, code: str, dtype: str) -> Number:
    return Number(name, Struct("<" + code), np.dtype("<" + dtype))


BOOL, STRING, ARRAY = 7, 8, 9
NUMBERS: dict[int, Number] = {
    0: _number("u8", "B", "u1"),
    1: _number("i8", "b", "i1"),
    2: _number("u16", "H", "u2"),
    3: _number("i16", "h", "i2"),
    4: _number("u32", "I", "u4"),
    5: _number("i32", "i", "i4"),
    6: _number("f32", "f", "f4"),
    BOOL: _number("bool", "B", "u1"),
    10: _number("u64", "Q", "u8"),
    11: _number("i64", "q", "i8"),
    12: _number("f64", "d", "f8"),
}


class Metadata(NamedTuple):
    """Values by key, and what type each one has in the file (`u32`, `arr[str]`)."""

    values: dict[str, Value]
    types: dict[str, str]


def read_metadata(cursor: Cursor, n_kv: int) -> Metadata:
    """Read `n_kv` pairs; a key must not come twice."""
    metadata = Metadata({}, {})
    for i in range(n_kv):
        key = _read_key(cursor, i, metadata.values)
        metadata.types[key], metadata.values[key] = _read_value(cursor, key)
    return metadata


def alignment_of(metadata: Metadata, path: Path) -> int:
    """Return `general.alignment`: a u32, a power of two up to 1 MiB, 32 where absent."""
    key = "general.alignment"
    value = metadata.values.get(key, DEFAULT_ALIGNMENT)
    kind = metadata.types.get(key, "u32")
    if kind != "u32" or not isinstance(value, int):
        raise GGUFError(f"must be a u32, found {kind}", path=path, field=key)
    if not (1 <= value <= MAX_ALIGNMENT and value & (value - 1) == 0):
        problem = f"must be a power of two from 1 to {MAX_ALIGNMENT}, found {value}"
        raise GGUFError(problem, path=path, field=key)
    return value


def _read_key(cursor: Cursor, i: int, seen: Mapping[str, Value]) -> str:
    field, start = f"key {i}", cursor.offset
    key = cursor.string(field, MAX_KEY_BYTES)
    if not key:
        raise cursor.error("is empty", field, start)
    if "\0" in key:
        raise cursor.error(f"{quoted(key)} contains a NUL character", field, start)
    if key in seen:
        raise cursor.error(f"{quoted(key)} is a duplicate", field, start)
    return key


def _read_value(cursor: Cursor, key: str) -> tuple[str, Value]:
    kind = _read_type(cursor, key)
    if kind == STRING:
        return "str", cursor.string(key)
    if kind == ARRAY:
        return _read_array(cursor, key)
    number = NUMBERS[kind]
    value: int | float = cursor.number(number.layout, key)
    if kind == BOOL:
        return "bool", _checked_bool(cursor, value, key)
    return number.name, value


def _read_array(cursor: Cursor, key: str) -> tuple[str, Value]:
    start = cursor.offset
    kind = _read_type(cursor, key)
    if kind == ARRAY:
        raise cursor.error("is an array of arrays, which GGUF readers do not support", key, start)
    n = cursor.u64(key)
    if kind == STRING:
        return "arr[str]", cursor.strings(n, key)
    number = NUMBERS[kind]
    cursor.claim(n, number.dtype.itemsize, key)
    start = cursor.offset
    values = np.frombuffer(cursor.raw(n * number.dtype.itemsize, key), number.dtype)
    if kind == BOOL:
        if n and values.max() > 1:
            i = int(np.argmax(values > 1))
            problem = f"a bool must be 0 or 1, found {values[i]}"
            raise cursor.error(problem, f"{key}[{i}]", start + i)
        values = values.view(np.bool_)
    return f"arr[{number.name}]", values


def _read_type(cursor: Cursor, key: str) -> int:
    start = cursor.offset
    kind = cursor.u32(key)
    if kind not in NUMBERS and kind not in (STRING, ARRAY):
        raise cursor.error(f"has unknown value type {kind}, known are 0 to 12", key, start)
    return kind


def _checked_bool(cursor: Cursor, value: int | float, key: str) -> bool:
    if value not in (0, 1):
        raise cursor.error(f"a bool must be 0 or 1, found {value}", key, cursor.offset - 1)
    return value == 1
