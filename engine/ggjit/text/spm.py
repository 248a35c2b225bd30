"""SentencePiece BPE (`tokenizer.ggml.model` = llama), run by the `sentencepiece` library.

The library reads a protocol buffer, so one is written here from the metadata. It gets no special
tokens and no dummy prefix: `Tokenizer` deals with both.
Source: sentencepiece `src/sentencepiece_model.proto` for the field numbers.
"""

from __future__ import annotations

import struct

import numpy as np
from sentencepiece import SentencePieceProcessor

from ..gguf import GGUFFile, quoted
from .vocab import TokenType, Vocab, byte_value, read_scores

SPACE = "\u2581"

# SentencePiece.Type has the numbers of TokenType; field numbers and wire types as in the .proto.
PIECE, SCORE, TYPE = b"\x0a", b"\x15", b"\x18"
MODEL_PIECES, MODEL_TRAINER, MODEL_NORMALIZER = b"\x0a", b"\x12", b"\x1a"
TRAINER_BPE = b"\x18\x02"  # model_type = BPE
TRAINER_BYTE_FALLBACK = b"\x98\x02\x01"
NORMALIZER_NOTHING = b"\x18\x00\x20\x00\x28\x01"  # only spaces become SPACE
# In place of text that the library refuses, NUL: this noncharacter is in no token and no text.
NEVER = "\ufdd0"


class SentencePiece:
    """Plain text to ids and a token's text to bytes."""

    def __init__(self, file: GGUFFile, vocab: Vocab) -> None:
        _check_byte_tokens(vocab)
        self._n_vocab = len(vocab.tokens)
        model = _model(vocab, read_scores(file, self._n_vocab))
        try:
            self._processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise vocab.error("tokens", f"sentencepiece does not take them: {error}") from error
        self._unknown = vocab.special_ids.get("unk")

    def encode(self, text: str) -> list[int]:
        """Encode text without special tokens.

        In a vocabulary without byte tokens, a character it lacks becomes the unknown token.
        """
        ids: list[int] = self._processor.encode(text)
        if self._n_vocab in ids:
            unknown = [] if self._unknown is None else [self._unknown]
            ids = [i for id in ids for i in (unknown if id == self._n_vocab else [id])]
        return ids

    def token_bytes(self, token: str) -> bytes:
        """Return the bytes that an ordinary token stands for."""
        return token.replace(SPACE, " ").encode()


def _check_byte_tokens(vocab: Vocab) -> None:
    """Check that the vocabulary has each of the 256 byte tokens once, or none."""
    seen: dict[int, int] = {}
    for id in np.flatnonzero(vocab.types == TokenType.BYTE).tolist():
        text = vocab.tokens[id]
        value = byte_value(text)
        if value is None:
            raise vocab.error(f"tokens[{id}]", f"a byte is written <0xNN>, found {quoted(text)}")
        if value in seen:
            problem = f"{quoted(text)} is the same byte as token {seen[value]}"
            raise vocab.error(f"tokens[{id}]", problem)
        seen[value] = id
    if seen and len(seen) < 256:
        missing = next(byte for byte in range(256) if byte not in seen)
        raise vocab.error("tokens", f"<0x{missing:02X}> is missing among the byte tokens")


def _model(vocab: Vocab, scores: np.ndarray) -> bytes:
    """Return the vocabulary as a serialised ModelProto, with an unknown piece after the tokens."""
    # Special tokens are found before the library sees the text: to it, they are control symbols.
    types = np.where(
        np.isin(vocab.types, (TokenType.UNKNOWN, TokenType.USER_DEFINED)),
        TokenType.CONTROL,
        vocab.types,
    )
    texts = [text if "\0" not in text else f"{NEVER}{id}" for id, text in enumerate(vocab.tokens)]
    pieces = [
        _piece(_canonical(text) if type == TokenType.BYTE else text, score, type)
        for text, score, type in zip(texts, scores.tolist(), types.tolist(), strict=True)
    ]
    pieces.append(_piece(f"{NEVER}unknown", 0.0, TokenType.UNKNOWN))
    trainer = TRAINER_BPE
    if (vocab.types == TokenType.BYTE).any():
        trainer += TRAINER_BYTE_FALLBACK
    return b"".join(
        [
            *(MODEL_PIECES + _varint(len(piece)) + piece for piece in pieces),
            MODEL_TRAINER + _varint(len(trainer)) + trainer,
            MODEL_NORMALIZER + _varint(len(NORMALIZER_NOTHING)) + NORMALIZER_NOTHING,
        ]
    )


def _piece(text: str, score: float, type: int) -> bytes:
    data = text.encode()
    return b"".join(
        (PIECE, _varint(len(data)), data, SCORE, struct.pack("<f", score), TYPE, _varint(type))
    )


def _canonical(text: str) -> str:
    return f"<0x{byte_value(text):02X}>"


def _varint(n: int) -> bytes:
    if n < 0x80:
        return bytes((n,))
    return bytes((n & 0x7F | 0x80,)) + _varint(n >> 7)
