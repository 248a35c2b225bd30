"""WordPiece (`tokenizer.ggml.model` = bert), run by the `tokenizers` library.

The file writes a word's first piece with U+2581 before it and the others as they are; the library
wants the first as it is and "##" before the others.
Source: llama.cpp `conversion/bert.py` and `src/llama-vocab.cpp` (`llm_tokenizer_wpm_session`).
"""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from ..gguf import GGUFFile
from .merges import encoded
from .vocab import KEY, TokenType, Vocab

SPACE = "\u2581"


class WordPieces:
    """Plain text to ids and a token's text to bytes."""

    def __init__(self, file: GGUFFile, vocab: Vocab) -> None:
        unknown = vocab.special_ids.get("unk")
        if unknown is None:
            raise vocab.error("unknown_token_id", "the key is missing")
        pieces = {_library_text(vocab, id): id for id in range(len(vocab.tokens))}
        unknown_text = _library_text(vocab, unknown)
        self._tokenizer = Tokenizer(WordPiece(vocab=pieces, unk_token=unknown_text))
        self._tokenizer.normalizer = BertNormalizer(
            lowercase=file.get(KEY + "normalizer.lowercase", bool, True),
            strip_accents=file.get(KEY + "normalizer.strip_accents", bool, True),
        )
        self._tokenizer.pre_tokenizer = BertPreTokenizer()

    def encode(self, text: str) -> list[int]:
        """Encode text without special tokens; a word without pieces becomes the unknown token."""
        return encoded(self._tokenizer, text)

    def token_bytes(self, token: str) -> bytes:
        """Return the bytes that an ordinary token stands for."""
        return token.replace(SPACE, " ").encode()


def _library_text(vocab: Vocab, id: int) -> str:
    text = vocab.tokens[id]
    if vocab.types[id] in (TokenType.CONTROL, TokenType.UNKNOWN):
        return text
    return text[1:] if text.startswith(SPACE) and len(text) > 1 else f"##{text}"
