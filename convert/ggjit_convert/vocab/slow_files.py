"""Byte-level BPE as it was stored before tokenizer.json: vocab.json, merges.txt, tokens added.

What is done to text is in the code of the class that tokenizer_config.json names, from where it is
known here. Source: transformers' `tokenization_gpt2.py` and `tokenization_qwen2.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ggjit.text.pretokenizers import QWEN2

from ..errors import CheckpointError
from ..sources.files import inside, map_file
from ..sources.strict_json import read_json
from .added import listed

VOCAB, MERGES = "vocab.json", "merges.txt"


def _bytes(use_regex: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
        "use_regex": use_regex,
    }  # fmt: skip


def _words(pattern: str) -> dict[str, Any]:
    return {
        "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False,
    }  # fmt: skip


# class -> normalizer and pre-tokenizer
RULES: dict[str, dict[str, Any]] = {
    "GPT2Tokenizer": {"normalizer": None, "pre_tokenizer": _bytes(use_regex=True)},
    "Qwen2Tokenizer": {
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [_words(QWEN2.patterns[0]), _bytes(use_regex=False)],
        },
    },
}


def has_slow_files(folder: Path) -> bool:
    """Return whether there are both files."""
    return all(inside(folder, name).is_file() for name in (VOCAB, MERGES))


def as_tokenizer_json(folder: Path, tokenizer_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tokenizer.json would hold. Raises: CheckpointError for another class."""
    name = str(tokenizer_config.get("tokenizer_class")).removesuffix("Fast")
    if name not in RULES:
        problem = f"is {name[:40]!r}, known without a tokenizer.json: {', '.join(RULES)}"
        path = folder / "tokenizer_config.json"
        raise CheckpointError(problem, path=path, field="tokenizer_class")
    added = {token.id: token for token in listed(folder, tokenizer_config)}
    return {
        "version": "1.0", "added_tokens": [added[id].as_json() for id in sorted(added)],
        "post_processor": None, "decoder": _bytes(use_regex=True), **RULES[name],
        "model": {
            "type": "BPE", "vocab": read_json(inside(folder, VOCAB)),
            "merges": _merges(inside(folder, MERGES)),
        },
    }  # fmt: skip


def _merges(path: Path) -> list[str]:
    try:
        lines = map_file(path).tobytes().decode().split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"is not UTF-8 at byte {error.start}", path=path) from None
    lines = [line.removesuffix("\r") for line in lines]
    return [line for line in lines[lines[0].startswith("#version") :] if line]
