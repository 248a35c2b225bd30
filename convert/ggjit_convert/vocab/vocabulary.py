"""A vocabulary as GGUF has it, and the tokens that fill up an embedding's rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

KEY = "tokenizer.ggml."
OWN_KEY = "tokenizer.ggjit."
SPACE = "\u2581"  # how SentencePiece writes one
BYTE = re.compile("<0x[0-9A-Fa-f]{2}>")


class TokenType(IntEnum):
    """The values of `tokenizer.ggml.token_type`, of ggml `docs/gguf.md`."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Token:
    text: str
    type: TokenType
    score: float = 0.0


@dataclass
class Vocabulary:
    """GGUF keys and values: ids are ints (uint32 in the file), types lists of ints (int32).

    `warnings` are sentences for the user.
    """

    metadata: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def token_arrays(
    tokens: Mapping[int, Token], n_vocab: int, *, scores: bool = False
) -> dict[str, Any]:
    """Return the keys of one token per row; rows without a token are unused padding.

    Raises: ValueError for text that is not Unicode.
    """
    rows = [
        tokens.get(id) or Token(f"[PAD{id}]", TokenType.UNUSED, -10000.0) for id in range(n_vocab)
    ]
    _check_texts(tokens)
    arrays: dict[str, Any] = {
        KEY + "tokens": [token.text for token in rows],
        KEY + "token_type": [int(token.type) for token in rows],
    }
    if scores:
        arrays[KEY + "scores"] = [token.score for token in rows]
    return arrays


def _check_texts(tokens: Mapping[int, Token]) -> None:
    for id, token in tokens.items():
        if not token.text.isascii() and any("\ud800" <= c <= "\udfff" for c in token.text):
            raise ValueError(f"token {id} is not Unicode: {token.text[:40]!r}")


def warnings_of(tokens: Mapping[int, Token], n_vocab: int) -> list[str]:
    """Return a warning of tokens without a row in the embedding, and of two with one text."""
    found = []
    if lost := sorted(id for id in tokens if id >= n_vocab):
        first = f"the first is {lost[0]}, {tokens[lost[0]].text!r}"
        rows = f"{len(lost)} tokens have no row in the embedding of {n_vocab}"
        found.append(f"{rows} and are left out, {first}")
    ids: dict[str, int] = {}
    kept = [id for id in sorted(tokens) if id < n_vocab]
    if again := [id for id in kept if ids.setdefault(tokens[id].text, id) != id]:
        text = tokens[again[0]].text
        two = f"tokens {ids[text]} and {again[0]} have the same text, {text[:40]!r}"
        found.append(f"{two}: it is encoded as the first; llama.cpp does not load such a file")
    return found


def is_byte(text: str) -> bool:
    """Return whether a token stands for a byte that no other token has."""
    return BYTE.fullmatch(text) is not None
