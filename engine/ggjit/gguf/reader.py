"""Opening a GGUF model: `open_gguf` returns its metadata and its tensors as mapped views.

Nothing is decoded here, and hyperparameters are not judged: a well-formed file with senseless
values opens.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

import numpy as np

from .errors import GGUFError, quoted
from .shard import Shard, read_shard
from .splits import complete
from .tensors import Tensor
from .values import Value

Kind = TypeVar("Kind")
Default = TypeVar("Default")

REQUIRED = object()
KIND_WORDS: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a bool",
    list: "an array of strings",
    np.ndarray: "an array of numbers",
}


def open_gguf(path: str | os.PathLike[str]) -> GGUFFile:
    """Open a GGUF file, or the whole set that a shard belongs to.

    Raises: GGUFError for a bad file; OSError where the system cannot open or read it.
    """
    return GGUFFile(complete(read_shard(Path(path))))


class GGUFFile:
    """An open model: `metadata` by key, `tensors` by name in file order.

    `path` is the file, or the first of `paths` where the model is split.
    `types` holds each key's type in the file's words: `u32`, `arr[str]`.
    """

    def __init__(self, shards: list[Shard]) -> None:
        first = shards[0]
        self.path: Path = first.path
        self.paths: tuple[Path, ...] = tuple(shard.path for shard in shards)
        self.version: int = first.version
        self.metadata: dict[str, Value] = first.metadata.values
        self.types: dict[str, str] = first.metadata.types
        self.tensors: dict[str, Tensor] = {t.name: t for shard in shards for t in shard.tensors}
        self._pages = {shard.path: shard.pages for shard in shards if shard.pages is not None}

    @overload
    def get(self, key: str, kind: type[Kind]) -> Kind: ...
    @overload
    def get(self, key: str, kind: type[Kind], default: Default) -> Kind | Default: ...
    def get(self, key: str, kind: type[Any], default: Any = REQUIRED) -> Any:
        """Return the value of `key`, which must be of `kind`; an integer serves as a float.

        Raises: GGUFError naming the key if it is of another kind, or missing without a default.
        """
        value = self.metadata.get(key)
        if value is None:
            if default is REQUIRED:
                raise GGUFError("the key is missing", path=self.path, field=key)
            return default
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)
        raise GGUFError(
            f"must be {KIND_WORDS[kind]}, found {self._found(key)}", path=self.path, field=key
        )

    def close(self) -> None:
        """Let go of the tensors; a mapping lives on while someone holds a view of it."""
        self.tensors.clear()
        while self._pages:
            _, pages = self._pages.popitem()
            with suppress(BufferError):
                pages.close()

    def __enter__(self) -> GGUFFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _found(self, key: str) -> str:
        value = self.metadata[key]
        if isinstance(value, str):
            return f"str {quoted(value)}"
        if isinstance(value, (list, np.ndarray)):
            return f"{self.types[key]} of length {len(value)}"
        return f"{self.types[key]} {value}"
