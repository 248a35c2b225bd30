"""Mistral's tekken.json: special tokens first, then those of a byte-level BPE by rank.

Sources: mistral_common `tokens/tokenizers/tekken.py` for the file; llama.cpp
`gguf-py/gguf/vocab.py` (`MistralVocab`) and `conversion/base.py` (`_set_vocab_mistral`) for the
keys.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..sources.strict_json import read_json
from .pre_tokenizer import pre_tokenizer_of_pattern
from .ranks import all_merges, characters, checked
from .vocabulary import KEY, Token, TokenType, Vocabulary, token_arrays, warnings_of

MAX_TOKENS = 1 << 21
# The special tokens of files that do not list them, which are those up to version 7.
SPECIAL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]"),
    *("[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    "[TOOL_CONTENT]",
)
NAMED = {"bos": "<s>", "eos": "</s>", "unknown": "<unk>", "padding": "<pad>"}


@dataclass(frozen=True)
class Tekken:
    """`ranks` of tokens, whose ids are behind those of the `special` ones."""

    ranks: dict[bytes, int]
    special: list[str]
    pattern: str


def read_tekken(path: Path) -> Tekken:
    """Read and check a tekken.json.

    Raises: CheckpointError naming the field.
    """
    data = read_json(path)
    config = data.get("config")
    config = config if isinstance(config, dict) else {}
    n_special = _count(path, config, "default_num_special_tokens")
    n_ranks = _count(path, config, "default_vocab_size") - n_special
    ranks = checked(_ranks(path, data.get("vocab"), n_ranks), path)
    pattern = config.get("pattern")
    if not isinstance(pattern, str):
        raise CheckpointError("must be an expression", path=path, field="config.pattern")
    return Tekken(ranks, _special(path, data.get("special_tokens"), n_special), pattern)


def tekken_bpe(path: Path, n_vocab: int) -> Vocabulary:
    """Return the keys for a tekken.json. Raises: CheckpointError."""
    source = read_tekken(path)
    tokens = {id: Token(text, TokenType.CONTROL) for id, text in enumerate(source.special)}
    for token, rank in source.ranks.items():
        tokens[len(source.special) + rank] = Token(characters(token), TokenType.NORMAL)
    pre = pre_tokenizer_of_pattern(path, source.pattern)
    metadata: dict[str, Any] = {KEY + "model": "gpt2", **pre.metadata}
    metadata |= token_arrays(tokens, n_vocab, scores=True)
    metadata[KEY + "merges"] = list(all_merges(source.ranks))
    ids = {text: id for id, text in enumerate(source.special)}
    metadata |= {f"{KEY}{name}_token_id": ids[text] for name, text in NAMED.items() if text in ids}
    metadata |= {KEY + "add_bos_token": True, KEY + "add_eos_token": False}
    return Vocabulary(metadata, pre.warnings + warnings_of(tokens, n_vocab))


def _count(path: Path, config: dict[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or not 0 <= value <= MAX_TOKENS:
        problem = f"must be a number of tokens, found {str(value)[:40]}"
        raise CheckpointError(problem, path=path, field=f"config.{name}")
    return value


def _ranks(path: Path, vocab: Any, n_ranks: int) -> dict[bytes, int]:
    """Return the tokens with a rank below `n_ranks`; files have more than are used."""
    if not isinstance(vocab, list):
        raise CheckpointError("must be a list", path=path, field="vocab")
    ranks = {}
    for i, entry in enumerate(vocab[:n_ranks]):
        try:
            token, rank = base64.b64decode(entry["token_bytes"], validate=True), entry["rank"]
        except (KeyError, TypeError, ValueError, binascii.Error):
            problem = "must have a rank, and token_bytes in base64"
            raise CheckpointError(problem, path=path, field=f"vocab[{i}]") from None
        if rank != i:
            problem = f"has rank {str(rank)[:40]}"
            raise CheckpointError(problem, path=path, field=f"vocab[{i}]")
        ranks[token] = i
    return ranks


def _special(path: Path, entries: Any, n_special: int) -> list[str]:
    """Return the special tokens' texts, filled up with numbered ones."""
    if entries is None:
        found = dict(enumerate(SPECIAL))
    else:
        try:
            found = {entry["rank"]: str(entry["token_str"]) for entry in entries}
        except (KeyError, TypeError):
            problem = "must be a list of objects with a rank and a token_str"
            raise CheckpointError(problem, path=path, field="special_tokens") from None
    return [found.get(id, f"<SPECIAL_{id}>") for id in range(n_special)]
