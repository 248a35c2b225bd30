"""Metadata of a GGUF file changed: all else is copied as it is.

A value keeps the type that its key has; a new key needs one. Source: gguf-py's gguf_set_metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ggjit.gguf.shard import Shard, read_shard
from ggjit.gguf.splits import OWN_KEYS

from .header import header
from .keys import BY_WORD, Typed, pair
from .writing import File
from .written import copied

LARGEST_KEY = (1 << 16) - 1  # bytes


class Metadata:
    """The metadata of one file, or of one shard. Raises: GGUFError; OSError."""

    def __init__(self, path: Path) -> None:
        self.shard: Shard = read_shard(path)
        values, types = self.shard.metadata
        self.typed = {key: Typed(values[key], types[key]) for key in values}

    def set(self, key: str, text: str, type: str | None) -> None:
        """Give a key a value. Raises: ValueError for one that its type does not have."""
        self._check_layout(key)
        has = self.typed.get(key)
        if type is None and has is None:
            problem = "there is no such key; --type TYPE adds it"
            raise ValueError(f"{self.shard.path}: {key}: {problem}")
        if not key or len(key.encode()) > LARGEST_KEY:
            raise ValueError(f"a key has 1 to {LARGEST_KEY} bytes, not {len(key.encode())}")
        word = type or (has.type if has else "")
        self.typed[key] = Typed(parsed(text, word, key), word)
        header([pair(key, self.typed[key])], [])  # does the value fit its type?

    def remove(self, key: str) -> None:
        """Leave a key out. Raises: ValueError if it is not there."""
        self._check_layout(key)
        if key not in self.typed:
            raise ValueError(f"{self.shard.path}: {key}: there is no such key")
        del self.typed[key]

    def file(self, out: Path) -> File:
        """Return the file to write."""
        pairs = [pair(key, typed) for key, typed in self.typed.items()]
        return File(out, pairs, [copied(t) for t in self.shard.tensors])

    def _check_layout(self, key: str) -> None:
        if key in OWN_KEYS:
            raise ValueError(f"{self.shard.path}: {key}: says how the file is laid out, and stays")


def parsed(text: str, type: str, key: str) -> Any:
    """Return the value that a text stands for; an array is written as JSON has it."""
    item = type.removeprefix("arr[").removesuffix("]") if type.startswith("arr[") else None
    if (item or type) not in BY_WORD:
        raise ValueError(f"type {type!r} is none of {', '.join(BY_WORD)}, nor arr[...] of one")
    if item is None:
        return _scalar(text, type, key)
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise ValueError(f"{key}: an array is written like [1, 2], not {text[:40]!r}")
    return _items(values, item, key)


def _items(values: Sequence[Any], type: str, key: str) -> list[Any]:
    texts = [v if isinstance(v, str) and type == "str" else json.dumps(v) for v in values]
    return [_scalar(text, type, f"{key}[{i}]") for i, text in enumerate(texts)]


def _scalar(text: str, type: str, key: str) -> Any:
    try:
        if type == "str":
            return text
        if type == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return float(text) if type in ("f32", "f64") else int(text, 0)
    except (KeyError, ValueError):
        raise ValueError(f"{key}: {text[:40]!r} is no {type}") from None
