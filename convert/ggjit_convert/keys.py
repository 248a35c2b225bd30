"""Metadata as it is gathered for a file: a value by key, with the type GGUF gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from gguf import GGUFValueType

PLAIN = {
    bool: GGUFValueType.BOOL,
    int: GGUFValueType.UINT32,
    float: GGUFValueType.FLOAT32,
    str: GGUFValueType.STRING,
}
ITEMS = PLAIN | {int: GGUFValueType.INT32}


class Keys:
    """Keys of one architecture: `keys["block_count"] = 2`; of others with `keys.general`.

    Integers are 32 bits, in lists signed, floats 32 bits: what llama.cpp's converter writes.
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
        return self._own.get(name, default)

    def drop(self, name: str) -> None:
        """Leave a key out."""
        self._own.pop(name, None)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield all keys by their full names."""
        yield from self.general.items()
        for name, value in self._own.items():
            yield f"{self.arch}.{name}", value


def type_of(value: Any) -> tuple[GGUFValueType, GGUFValueType | None]:
    """Return a value's type, and that of its items if it is a list."""
    if isinstance(value, np.ndarray):
        value = value[:1].tolist()
    if isinstance(value, bytes):
        return GGUFValueType.STRING, None
    if isinstance(value, (list, tuple)):
        first = value[0] if len(value) else ""
        kind = GGUFValueType.STRING if isinstance(first, bytes) else ITEMS[type(first)]
        return GGUFValueType.ARRAY, kind
    return PLAIN[type(value)], None
