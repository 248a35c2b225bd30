"""Tokens that are found in text before anything else is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..sources.files import inside
from ..sources.strict_json import read_json
from .vocabulary import OWN_KEY, SPACE, Token, TokenType

# Tokens that files do not call special although they are.
SPECIAL_TEXTS = frozenset(("<pad>", "<mask>", "<2mass>", "[@BOS@]"))
SPECIAL_BRACKETS = (("<|", "|>"), ("<\uff5c", "\uff5c>"), ("<unused", ">"))


@dataclass(frozen=True)
class AddedToken:
    """`special` ones are not text; some take the spaces before or after them along."""

    id: int
    content: str
    special: bool
    strips_left: bool = False
    strips_right: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the token as tokenizer.json lists it."""
        return {
            "id": self.id, "content": self.content, "single_word": False, "normalized": False,
            "lstrip": self.strips_left, "rstrip": self.strips_right, "special": self.special,
        }  # fmt: skip


def added_tokens(path: Path, field: str, entries: Any) -> dict[int, AddedToken]:
    """Check a list of added tokens, as tokenizer.json has it.

    Raises: CheckpointError naming `path`, `field` and the entry.
    """
    if not isinstance(entries, list):
        raise CheckpointError("must be a list", path=path, field=field)
    found = {}
    for i, entry in enumerate(entries):
        facts = entry if isinstance(entry, dict) else {}
        content, id = facts.get("content"), facts.get("id")
        if not isinstance(content, str) or not content or type(id) is not int or id < 0:
            problem = "must be an object with a content and an id"
            raise CheckpointError(problem, path=path, field=f"{field}[{i}]")
        flags = (bool(facts.get(flag)) for flag in ("special", "lstrip", "rstrip"))
        found[id] = AddedToken(id, content, *flags)
    return found


def decoder_tokens(folder: Path, tokenizer_config: Mapping[str, Any]) -> dict[int, AddedToken]:
    """Return the `added_tokens_decoder` of tokenizer_config.json, an object with ids for keys.

    Raises: CheckpointError naming the entry.
    """
    decoder = tokenizer_config.get("added_tokens_decoder")
    entries = [
        {**token, "id": int(id)}
        for id, token in (decoder.items() if isinstance(decoder, Mapping) else ())
        if isinstance(token, Mapping) and id.isdecimal()
    ]
    return added_tokens(folder / "tokenizer_config.json", "added_tokens_decoder", entries)


def listed(folder: Path, tokenizer_config: Mapping[str, Any]) -> Iterator[AddedToken]:
    """Yield the tokens that files beside a vocabulary list, those that count most last.

    Raises: CheckpointError naming the entry.
    """
    path = inside(folder, "added_tokens.json")
    if path.is_file():
        entries = [{"id": id, "content": text} for text, id in read_json(path).items()]
        yield from added_tokens(path, "added_tokens", entries).values()
    yield from decoder_tokens(folder, tokenizer_config).values()


def added_token(added: AddedToken) -> Token:
    """Return an added token as GGUF has it: a control token, or text that is always found."""
    if added.special or looks_special(added.content):
        return Token(added.content, TokenType.CONTROL)
    return Token(added.content.replace(SPACE, " "), TokenType.USER_DEFINED)


def looks_special(text: str) -> bool:
    """Return whether a token is a control token by its looks.

    Source: llama.cpp `conversion/base.py` (`does_token_look_special`).
    """
    brackets = any(text.startswith(start) and text.endswith(end) for start, end in SPECIAL_BRACKETS)
    return brackets or text in SPECIAL_TEXTS


def strip_keys(added: Iterable[AddedToken], n_vocab: int) -> dict[str, list[int]]:
    """Return keys of our own for the tokens that take spaces along, as far as there are any."""
    kept = [token for token in added if token.id < n_vocab]
    left = sorted(token.id for token in kept if token.strips_left)
    right = sorted(token.id for token in kept if token.strips_right)
    keys = {f"{OWN_KEY}strips_left": left, f"{OWN_KEY}strips_right": right}
    return {key: ids for key, ids in keys.items() if ids}
