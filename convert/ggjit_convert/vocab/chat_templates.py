"""Chat templates: in files of their own, or in tokenizer_config.json, one or several with names.

Source: transformers' `tokenization_utils_base.py` for which of them counts (llama.cpp's converter
takes tokenizer_config.json's first); llama.cpp `gguf-py/gguf/vocab.py` for the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..sources.files import inside, map_file
from ..sources.strict_json import read_json

FIELD = "tokenizer.chat_template"
NAMED = "tokenizer.chat_templates"


def chat_templates(folder: Path, tokenizer_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default template and those with names, as far as there are any."""
    found = _from_files(folder)
    if found is None:
        found = tokenizer_config.get("chat_template")
    if found is None:
        found = _of_processor(folder)
    keys = {FIELD: found} if isinstance(found, str) else {}
    if isinstance(found, list):
        keys = _named(found)
    for key, template in keys.items():
        _check(folder, key, template)
    return keys


def _check(folder: Path, key: str, template: str | list[str]) -> None:
    try:
        "".join(template).encode()
    except UnicodeEncodeError:
        raise CheckpointError("is not Unicode", path=folder, field=key) from None


def _from_files(folder: Path) -> Any:
    jinja = inside(folder, "chat_template.jinja")
    if not jinja.is_file():
        return None
    return [{"name": "default", "template": _text(jinja)}, *_additional(folder)]


def _of_processor(folder: Path) -> Any:
    """Return the template of what reads images as well, as it used to be stored."""
    path = inside(folder, "chat_template.json")
    return read_json(path).get("chat_template") if path.is_file() else None


def _additional(folder: Path) -> list[dict[str, str]]:
    additional = inside(folder, "additional_chat_templates")
    if not additional.is_dir():
        return []
    paths = [inside(additional, path.name) for path in sorted(additional.glob("*.jinja"))]
    return [{"name": path.stem, "template": _text(path)} for path in paths]


def _text(path: Path) -> str:
    try:
        text = map_file(path).tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"is not UTF-8 at byte {error.start}", path=path) from None
    return text.replace("\r\n", "\n")


def _named(entries: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in (entry for entry in entries if isinstance(entry, Mapping)):
        name, template = entry.get("name"), entry.get("template")
        if isinstance(name, str) and name and isinstance(template, str):
            key = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
            found[FIELD if key == "default" else f"{FIELD}.{key}"] = template
    names = [key[len(FIELD) + 1 :] for key in found if key != FIELD]
    return {**found, NAMED: names} if names else found
