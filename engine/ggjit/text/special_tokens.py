"""Finding special tokens in text, before the rest of it is tokenized.

The longest token is looked for first, in all of the text, then the next longest in what is left:
llama.cpp's order (`llama_vocab::impl::tokenizer_st_partition`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..gguf import GGUFFile
from .vocab import TokenType, Vocab, ids_of_key

# phi-3 takes the space after a special token as part of it, except after these.
KEEPS_SPACE_AFTER = frozenset(("<unk>", "<s>", "<|endoftext|>"))
ASCII_SPACES = " \t\n\v\f\r"
# Unicode's White_Space, which tokenizer.json means.
SPACES = (
    ASCII_SPACES
    + "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)


class SpecialTokens:
    """The special tokens of a vocabulary.

    `control` and `user_defined` map texts to ids. User-defined tokens are found in any text,
    control tokens only where asked for, and never those of one character, which are just text.
    Some take the spaces before or after them along: those that the file names in keys of our own,
    else in phi-3 all.
    """

    def __init__(self, file: GGUFFile, vocab: Vocab) -> None:
        control = _ids_of(vocab, TokenType.CONTROL, TokenType.UNKNOWN)
        self.control = {text: id for text, id in control.items() if len(text) > 1}
        self.user_defined = _ids_of(vocab, TokenType.USER_DEFINED)
        self._all = _longest_first(self.control | self.user_defined)
        self._user_defined = _longest_first(self.user_defined)
        n_vocab = len(vocab.tokens)
        self._strips_left = ids_of_key(file, "strips_left", n_vocab)
        self._strips_right = ids_of_key(file, "strips_right", n_vocab)
        self._spaces = SPACES
        if not self._strips_right and _is_phi3(file):
            self._spaces = ASCII_SPACES
            kept = KEEPS_SPACE_AFTER
            self._strips_right = frozenset(id for text, id in self._all if text not in kept)

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
            pieces = part.split(token)
            for i, piece in enumerate(pieces):
                if i:
                    yield id
                text = piece.lstrip(self._spaces) if i and id in self._strips_right else piece
                if i < len(pieces) - 1 and id in self._strips_left:
                    text = text.rstrip(self._spaces)
                if text:
                    yield text


def _is_phi3(file: GGUFFile) -> bool:
    name = file.get("general.name", str, "").lower()
    return "phi-3" in name or "phi3" in name


def _ids_of(vocab: Vocab, *types: TokenType) -> dict[str, int]:
    ids = np.flatnonzero(np.isin(vocab.types, types)).tolist()
    return {vocab.tokens[id]: id for id in ids[::-1]}  # of one text, the first


def _longest_first(ids: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(ids.items(), key=lambda item: -len(item[0].encode()))
