"""A checkpoint: its tensors under their own names, and the JSON files beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..arrays import Array
from .files import inside


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what config.json says of the text model inside another; nothing if it is one."""
    inner = config.get("text_config")
    return inner if isinstance(inner, Mapping) else {}


CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """`path` is the folder, or the one file that was named; `config` is config.json's content.

    `tensors` are in file order; `config_file` is where the configuration comes from; `tokenizer` is
    a folder, if the tokenizer is not in the model's.
    """

    path: Path
    config: dict[str, Any]
    tensors: Mapping[str, Array]
    config_file: str = CONFIG
    tokenizer: Path | None = None

    @property
    def folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def config_path(self) -> Path:
        return self.folder / self.config_file

    @property
    def tokenizer_folder(self) -> Path:
        return self.tokenizer or self.folder

    @property
    def name(self) -> str:
        """What the folder is called; in the hub's cache, the repository."""
        folder = self.folder.resolve()
        if folder.parent.name == "snapshots":
            return folder.parents[1].name.rpartition("--")[2]
        return folder.name

    def tokenizer_file(self, name: str) -> Path | None:
        """Return a regular file of the tokenizer's folder, None if there is none of that name."""
        path = inside(self.tokenizer_folder, name)
        return path if path.is_file() else None
