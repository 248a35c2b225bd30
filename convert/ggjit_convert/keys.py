"""Metadata as it is gathered for a file: a value by key, with the type GGUF gives it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gguf import GGUFValueType

PLAIN = {
    bool: GGUFValueType.BOOL,
    int: GGUFValueType.UINT32,
    float: GGUFValueType.FLOAT32,
    str: GGUFValueType.STRING,
}
ITEMS = PLAIN | {int: GGUFValueType.INT32, bytes: GGUFValueType.STRING}
# By the words in which the engine's reader tells types.
BY_WORD = {
    "u8": GGUFValueType.UINT8, "i8": GGUFValueType.INT8, "u16": GGUFValueType.UINT16,
    "i16": GGUFValueType.INT16, "u32": GGUFValueType.UINT32, "i32": GGUFValueType.INT32,
    "f32": GGUFValueType.FLOAT32, "bool": GGUFValueType.BOOL, "str": GGUFValueType.STRING,
    "u64": GGUFValueType.UINT64, "i64": GGUFValueType.INT64, "f64": GGUFValueType.FLOAT64,
}  # fmt: skip


class Typed(NamedTuple):
    """A value with its type in the engine's words, `u32` or `arr[str]`."""

    value: Any
    type: str


class Pair(NamedTuple):
    """A key as a file has it: name, value, type, and that of an array's items."""

    name: str
    value: Any
    kind: GGUFValueType
    item_kind: GGUFValueType | None = None


def pair(name: str, value: Any) -> Pair:
    """Return a key with its type: `Typed`, or the one that Python's type stands for."""
    if isinstance(value, Typed):
        word = value.type.removeprefix("arr[").removesuffix("]")
        kind = BY_WORD[word]
        if word == value.type:
            return Pair(name, value.value, kind)
        return Pair(name, value.value, GGUFValueType.ARRAY, kind)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return Pair(name, value, GGUFValueType.ARRAY, ITEMS[type(value[0]) if value else str])
    return Pair(name, value, PLAIN[type(value)])


class Keys:
    """Keys of one architecture: `keys["block_count"] = 2`; of others in `keys.general`.

    Integers are 32 bits, in lists signed, floats 32 bits, as llama.cpp's converter writes them,
    unless they are `Typed`.
    """

    def __init__(self, arch: str) -> None:
        self.arch = arch
        self.general: dict[str, Any] = {"general.architecture": arch}
        self._own: dict[str, Any] = {}

    def __setitem__(self, name: str, value: Any) -> None:
        self._own[name] = value

    def __getitem__(self, name: str) -> Any:
        return self._own[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a key of the architecture."""
        value = self._own.get(name, default)
        return value.value if isinstance(value, Typed) else value

    def drop(self, name: str) -> None:
        """Leave a key out."""
        self._own.pop(name, None)

    def pairs(self) -> list[Pair]:
        """Return all keys by their full names."""
        own = {f"{self.arch}.{name}": value for name, value in self._own.items()}
        return [pair(name, value) for name, value in (self.general | own).items()]
