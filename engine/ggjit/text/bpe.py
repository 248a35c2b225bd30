"""Byte-level BPE (`tokenizer.ggml.model` = gpt2), run by the `tokenizers` library.

The bytes of a text are written with 256 printable characters, GPT-2's choice, before they are
merged; tokens in the file are written that way too.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from ..gguf import GGUFFile, quoted
from .own_rules import own_rules
from .pretokenizers import PRE_TOKENIZERS, PreTokenizer
from .vocab import KEY, Vocab

DEFAULT_PRE = "default"


def _byte_characters() -> dict[str, int]:
    """Map GPT-2's 256 characters to bytes: printable Latin-1 is itself, the rest follows U+0100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    characters = {chr(byte): byte for byte in plain}
    return characters | {chr(0x100 + i): byte for i, byte in enumerate(others)}


BYTE_OF = _byte_characters()


class BytePairEncoding:
    """Plain text to ids and a token's text to bytes."""

    def __init__(self, file: GGUFFile, vocab: Vocab) -> None:
        recipe, own = pre_tokenizer(vocab), own_rules(file, vocab)
        ignore_merges = own.ignore_merges if own else recipe.ignore_merges
        self._tokenizer = Tokenizer(_merger(file, vocab, ignore_merges))
        if own:
            self._tokenizer.normalizer = own.normalizer
        elif recipe.nfc:  # the library's: other ones know other versions of Unicode
            self._tokenizer.normalizer = NFC()
        self._tokenizer.pre_tokenizer = own.pre_tokenizer if own else _steps(recipe)

    def encode(self, text: str) -> list[int]:
        """Encode text without special tokens. A byte that the vocabulary lacks is left out."""
        try:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        except BaseException as error:
            # The regex engine gives up on runs of ten million characters that match nothing.
            if type(error).__name__ == "PanicException":
                raise ValueError(f"the text cannot be split into words: {error}") from None
            raise
        return ids

    def token_bytes(self, token: str) -> bytes:
        """Return the bytes that an ordinary token stands for."""
        try:
            return bytes([BYTE_OF[character] for character in token])
        except KeyError:
            return token.encode()


def _steps(recipe: PreTokenizer) -> Sequence:
    steps = [Split(Regex(pattern), "isolated") for pattern in recipe.patterns]
    return Sequence([*steps, ByteLevel(add_prefix_space=False, use_regex=False)])


def pre_tokenizer(vocab: Vocab) -> PreTokenizer:
    """Return the recipe that the file names; files from before there were names get the default."""
    recipe = PRE_TOKENIZERS.get(vocab.pre or DEFAULT_PRE)
    if recipe is None:
        known = ", ".join(sorted(PRE_TOKENIZERS))
        raise vocab.error("pre", f"{quoted(vocab.pre)} is not supported, only {known}")
    return recipe


def _merger(file: GGUFFile, vocab: Vocab, ignore_merges: bool) -> BPE:
    """Build the model from the file's `"left right"` lines; both and what they make are tokens."""
    merges = file.get(KEY + "merges", list)
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    try:
        if _longest(merges) > _longest(vocab.tokens) + 1:
            raise ValueError("a merge makes more than any token, which the library panics over")
        return BPE(vocab=vocab.ids, merges=pairs, ignore_merges=ignore_merges)
    except Exception:
        # The library checks them in half the time that it takes here, but does not say which.
        for i, merge in enumerate(merges):
            _check_merge(vocab, i, merge)
        raise


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
