"""SentencePiece's BPE and unigram models, run by the `sentencepiece` library.

`tokenizer.ggml.model` is llama for BPE, t5 for unigram. The library reads a protocol buffer, so one
is written here from the metadata. It gets no special tokens: `Tokenizer` deals with them, and for
BPE with the space before text. Text for a unigram model is normalised by the file's own rules.
Sources: sentencepiece `src/sentencepiece_model.proto` for the field numbers; llama.cpp
`src/llama-vocab.cpp` (`llm_tokenizer_ugm`) for the keys.
"""

from __future__ import annotations

import struct

import numpy as np
from sentencepiece import SentencePieceProcessor

from ..gguf import GGUFFile, quoted
from .vocab import KEY, TokenType, Vocab, byte_value, read_scores

SPACE = "\u2581"

# SentencePiece.Type has the numbers of TokenType; field numbers and wire types as in the .proto.
PIECE, SCORE, TYPE = b"\x0a", b"\x15", b"\x18"
MODEL_PIECES, MODEL_TRAINER, MODEL_NORMALIZER = b"\x0a", b"\x12", b"\x1a"
TRAINER_UNIGRAM, TRAINER_BPE = b"\x18\x01", b"\x18\x02"  # model_type
TRAINER_BYTE_FALLBACK = b"\x98\x02\x01"
CHARSMAP, DUMMY_PREFIX, EXTRA_SPACES = b"\x12", b"\x18", b"\x20"
ESCAPE_SPACES = b"\x28\x01"  # they become SPACE
# In place of text that the library refuses, NUL or that of a token before: this noncharacter is in
# no token and no text.
NEVER = "\ufdd0"


class SentencePiece:
    """Plain text to ids and a token's text to bytes."""

    def __init__(self, file: GGUFFile, vocab: Vocab) -> None:
        _check_byte_tokens(vocab)
        self._n_vocab = len(vocab.tokens)
        trainer, normalizer = (
            (TRAINER_UNIGRAM, _normalizer(file, vocab))
            if vocab.model == "t5"
            else (TRAINER_BPE, DUMMY_PREFIX + b"\0" + EXTRA_SPACES + b"\0" + ESCAPE_SPACES)
        )
        model = _model(vocab, read_scores(file, self._n_vocab), trainer, normalizer)
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


def _normalizer(file: GGUFFile, vocab: Vocab) -> bytes:
    """Return the rules of a unigram model: a table of replacements, and what is done to spaces."""
    charsmap = file.get(KEY + "precompiled_charsmap", np.ndarray, np.zeros(0, np.uint8))
    if charsmap.dtype.itemsize != 1:
        problem = f"must be an array of bytes, found {charsmap.dtype.name}"
        raise vocab.error("precompiled_charsmap", problem)
    prefix = file.get(KEY + "add_space_prefix", bool, True)
    trim = file.get(KEY + "remove_extra_whitespaces", bool, False)
    data = charsmap.tobytes()
    flags = DUMMY_PREFIX + bytes((prefix,)) + EXTRA_SPACES + bytes((trim,)) + ESCAPE_SPACES
    return CHARSMAP + _varint(len(data)) + data + flags


def _model(vocab: Vocab, scores: np.ndarray, trainer: bytes, normalizer: bytes) -> bytes:
    """Return the vocabulary as a serialised ModelProto, with an unknown piece after the tokens."""
    # Special tokens are found before the library sees the text: to it, they are control symbols.
    types = np.where(
        np.isin(vocab.types, (TokenType.UNKNOWN, TokenType.USER_DEFINED)),
        TokenType.CONTROL,
        vocab.types,
    )
    texts = [
        text if "\0" not in text and vocab.ids[text] == id else f"{NEVER}{id}"
        for id, text in enumerate(vocab.tokens)
    ]
    pieces = [
        _piece(_canonical(text) if type == TokenType.BYTE else text, score, type)
        for text, score, type in zip(texts, scores.tolist(), types.tolist(), strict=True)
    ]
    pieces.append(_piece(f"{NEVER}unknown", 0.0, TokenType.UNKNOWN))
    if (vocab.types == TokenType.BYTE).any():
        trainer += TRAINER_BYTE_FALLBACK
    return b"".join(
        [
            *(MODEL_PIECES + _varint(len(piece)) + piece for piece in pieces),
            MODEL_TRAINER + _varint(len(trainer)) + trainer,
            MODEL_NORMALIZER + _varint(len(normalizer)) + normalizer,
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
