"""The merges of a GGUF file, run by the `tokenizers` library."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import BPE

from ..gguf import GGUFFile, quoted
from .vocab import KEY, Vocab


def merging(file: GGUFFile, vocab: Vocab, **options: Any) -> BPE:
    """Build the model from the file's `"left right"` lines; both and what they make are tokens.

    `options` are the library's. Raises: GGUFError naming the line that is wrong.
    """
    merges = file.get(KEY + "merges", list)
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    try:
        if _longest(merges) > _longest(vocab.tokens) + 1:
            raise ValueError("a merge makes more than any token, which the library panics over")
        return BPE(vocab=vocab.ids, merges=pairs, **options)
    except Exception:
        # The library checks them in half the time that it takes here, but does not say which.
        for i, merge in enumerate(merges):
            _check_merge(vocab, i, merge)
        raise


def encoded(tokenizer: Tokenizer, text: str) -> list[int]:
    """Encode text; the library adds nothing. Raises: ValueError for text it gives up on."""
    try:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    except BaseException as error:
        # The regex engine gives up on runs of ten million characters that match nothing.
        if type(error).__name__ == "PanicException":
            raise ValueError(f"the text cannot be split into words: {error}") from None
        raise
    return ids


def _longest(texts: list[str]) -> int:
    return max(map(len, map(str.encode, texts)), default=0)


def _check_merge(vocab: Vocab, i: int, merge: str) -> None:
    left, _, right = merge.partition(" ")
    if not (left and right):
        problem = f"must be two tokens with a space between, found {quoted(merge)}"
        raise vocab.error(f"merges[{i}]", problem)
    for text in (left, right, left + right):
        if text not in vocab.ids:
            problem = f"{quoted(merge)} needs {quoted(text)}, which is not a token"
            raise vocab.error(f"merges[{i}]", problem)
