"""Byte-level BPE (`tokenizer.ggml.model` = gpt2), run by the `tokenizers` library.

The bytes of a text are written with 256 printable characters, GPT-2's choice, before they are
merged; tokens in the file are written that way too.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from ..gguf import GGUFFile, quoted
from .merges import encoded, merging
from .own_rules import own_rules
from .pretokenizers import PRE_TOKENIZERS, PreTokenizer
from .vocab import Vocab

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
        self._tokenizer = Tokenizer(merging(file, vocab, ignore_merges=ignore_merges))
        if own:
            self._tokenizer.normalizer = own.normalizer
        elif recipe.nfc:  # the library's: other ones know other versions of Unicode
            self._tokenizer.normalizer = NFC()
        self._tokenizer.pre_tokenizer = own.pre_tokenizer if own else _steps(recipe)

    def encode(self, text: str) -> list[int]:
        """Encode text without special tokens. A byte that the vocabulary lacks is left out."""
        return encoded(self._tokenizer, text)

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
