"""BPE over characters, with a fallback to bytes, run by the `tokenizers` library.

Gemma 4 has it (`tokenizer.ggml.model` = gemma4), and files of the SentencePiece kind whose rules
of normalising and cutting text are in keys of our own. Spaces are written as U+2581.
Source: llama.cpp `src/llama-vocab.cpp` (LLAMA_VOCAB_PRE_TYPE_GEMMA4).
"""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.normalizers import Replace

from ..gguf import GGUFFile
from .merges import encoded, merging
from .own_rules import OwnRules
from .vocab import Vocab

SPACE = "\u2581"


class CharacterPairEncoding:
    """Plain text to ids and a token's text to bytes."""

    def __init__(self, file: GGUFFile, vocab: Vocab, own: OwnRules | None) -> None:
        unknown = vocab.special_ids.get("unk")
        model = merging(
            file,
            vocab,
            unk_token=None if unknown is None else vocab.tokens[unknown],
            fuse_unk=True,
            byte_fallback=True,
            ignore_merges=own.ignore_merges if own else False,
        )
        self._tokenizer = Tokenizer(model)
        self._tokenizer.normalizer = own.normalizer if own else Replace(" ", SPACE)
        if own:
            self._tokenizer.pre_tokenizer = own.pre_tokenizer

    def encode(self, text: str) -> list[int]:
        """Encode text without special tokens."""
        return encoded(self._tokenizer, text)

    def token_bytes(self, token: str) -> bytes:
        """Return the bytes that an ordinary token stands for."""
        return token.replace(SPACE, " ").encode()
