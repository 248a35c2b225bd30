"""A SentencePiece model file: its pieces and what it does to text before it looks for them.

Source: sentencepiece `src/sentencepiece_model.proto` for the numbers of fields and types.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError
from ..sources.files import map_file
from .protobuf import fields
from .vocabulary import Token, TokenType

MODEL_PIECE, MODEL_TRAINER, MODEL_NORMALIZER = 1, 2, 3
PIECE_TEXT, PIECE_SCORE, PIECE_TYPE = 1, 2, 3
TRAINER_MODEL_TYPE = 3
NORMALIZER_CHARSMAP, NORMALIZER_DUMMY_PREFIX, NORMALIZER_EXTRA_SPACES = 2, 3, 4
UNIGRAM, BPE = 1, 2
# The piece types of SentencePiece have the numbers of GGUF's token types.
TYPES = {int(type) for type in TokenType}


@dataclass(frozen=True)
class SentencePieceModel:
    """`tokens` by id; `charsmap` are the normalizer's rules, empty if it has none."""

    path: Path
    tokens: dict[int, Token]
    model_type: int
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_spaces: bool

    def error(self, problem: str) -> CheckpointError:
        return CheckpointError(problem, path=self.path)


def read_sentencepiece_model(path: Path) -> SentencePieceModel:
    """Read and check a model.

    Raises: CheckpointError saying what is wrong.
    """
    try:
        return _model(path, map_file(path).tobytes())
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"is not a SentencePiece model: {error}", path=path) from None


def _model(path: Path, data: bytes) -> SentencePieceModel:
    tokens: dict[int, Token] = {}
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in fields(data):
        if number == MODEL_PIECE:
            tokens[len(tokens)] = _piece(len(tokens), _message(value))
        elif number == MODEL_TRAINER:
            trainer = dict(fields(_message(value)))
        elif number == MODEL_NORMALIZER:
            normalizer = dict(fields(_message(value)))
    if not tokens:
        raise ValueError("it has no pieces")
    return SentencePieceModel(
        path=path,
        tokens=tokens,
        model_type=int(trainer.get(TRAINER_MODEL_TYPE, UNIGRAM)),
        charsmap=_message(normalizer.get(NORMALIZER_CHARSMAP, b"")),
        add_dummy_prefix=bool(normalizer.get(NORMALIZER_DUMMY_PREFIX, 1)),
        remove_extra_spaces=bool(normalizer.get(NORMALIZER_EXTRA_SPACES, 1)),
    )


def _piece(id: int, message: bytes) -> Token:
    found = dict(fields(message))
    text = _message(found.get(PIECE_TEXT, b"")).decode()
    [score] = struct.unpack("<f", _message(found.get(PIECE_SCORE, bytes(4))))
    type = int(found.get(PIECE_TYPE, TokenType.NORMAL))
    if type not in TYPES or not math.isfinite(score):
        raise ValueError(f"piece {id}, {text[:40]!r}, has type {type} and score {score}")
    return Token(text, TokenType(type), score)


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number is where a message should be")
    return value
