"""Finding special tokens in text, before the rest of it is tokenized.

The longest token is looked for first, in all of the text, then the next longest in what is left:
llama.cpp's order (`llama_vocab::impl::tokenizer_st_partition`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .vocab import TokenType, Vocab

# phi-3 takes the space after a special token as part of it, except after these.
KEEPS_SPACE_AFTER = frozenset(("<unk>", "<s>", "<|endoftext|>"))
ASCII_SPACES = " \t\n\v\f\r"


class SpecialTokens:
    """The special tokens of a vocabulary.

    `control` and `user_defined` map texts to ids. User-defined tokens are found in any text,
    control tokens only where asked for, and never those of one character, which are just text.
    """

    def __init__(self, vocab: Vocab, model_name: str) -> None:
        control = _ids_of(vocab, TokenType.CONTROL, TokenType.UNKNOWN)
        self.control = {text: id for text, id in control.items() if len(text) > 1}
        self.user_defined = _ids_of(vocab, TokenType.USER_DEFINED)
        self._all = _longest_first(self.control | self.user_defined)
        self._user_defined = _longest_first(self.user_defined)
        self._strips_right: frozenset[int] = frozenset()
        if "phi-3" in model_name.lower() or "phi3" in model_name.lower():
            self._strips_right = frozenset(
                id for text, id in self._all if text not in KEEPS_SPACE_AFTER
            )

    def split(self, text: str, *, control: bool) -> list[str | int]:
        """Split `text` into special tokens' ids and the non-empty text between them."""
        parts: list[str | int] = [text] if text else []
        for token, id in self._all if control else self._user_defined:
            if token in text:
                parts = list(self._cut(parts, token, id))
        return parts

    def _cut(self, parts: Iterable[str | int], token: str, id: int) -> Iterable[str | int]:
        for part in parts:
            if isinstance(part, int):
                yield part
                continue
            first, *others = part.split(token)
            if first:
                yield first
            for other in others:
                yield id
                rest = other.lstrip(ASCII_SPACES) if id in self._strips_right else other
                if rest:
                    yield rest


def _ids_of(vocab: Vocab, *types: TokenType) -> dict[str, int]:
    ids = np.flatnonzero(np.isin(vocab.types, types)).tolist()
    return {vocab.tokens[id]: id for id in ids}


def _longest_first(ids: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(ids.items(), key=lambda item: -len(item[0].encode()))
