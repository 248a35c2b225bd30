"""Folders as Meta and Mistral lay out their own models, with params.json and consolidated files.

They are seen by the rest as config.json would have them: `open_meta`. Matrices of queries and keys
have rotary pairs side by side already, as GGUF has them.
"""

from __future__ import annotations

from pathlib import Path

from ..sources import CONFIG, Checkpoint
from ..sources.files import inside
from ..sources.strict_json import read_json
from .params import FILE, WINDOWS, config_of, says_context
from .shards import read_consolidated

__all__ = ["is_meta", "notes", "open_meta"]


def is_meta(path: Path) -> bool:
    """Tell whether a path is such a folder, and not one of Hugging Face's as well."""
    return path.is_dir() and inside(path, FILE).exists() and not inside(path, CONFIG).exists()


def open_meta(folder: Path) -> Checkpoint:
    """Open a folder. Raises: CheckpointError; OSError."""
    params = read_json(inside(folder, FILE))
    tensors = read_consolidated(folder, params.get("dim"))
    return Checkpoint(folder, config_of(folder, params, tensors), tensors, FILE)


def notes(checkpoint: Checkpoint) -> list[str]:
    """Return what was not said and had to be taken for granted, or is left out, a line each."""
    if checkpoint.config_file != FILE:
        return []
    params, found = read_json(checkpoint.config_path), []
    if not says_context(params):
        n = checkpoint.config["max_position_embeddings"]
        found += [f"{FILE} does not say how long a context may be: {n} tokens are taken"]
    if params.get(WINDOWS) is not None:
        found += [f"{FILE} has {WINDOWS}, which is not heeded: attention sees everything"]
    return found
