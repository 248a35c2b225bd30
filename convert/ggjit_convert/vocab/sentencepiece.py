"""SentencePiece BPE, `tokenizer.ggml.model` = llama, from tokenizer.model and what is added to it.

Source: llama.cpp `conversion/base.py` (`_create_vocab_sentencepiece`) for which file counts. Pieces
that the model itself calls user-defined are so here, too, as sentencepiece finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .added import AddedToken, added_token, listed
from .sentencepiece_model import BPE, SentencePieceModel
from .vocabulary import (
    KEY,
    SPACE,
    Token,
    TokenType,
    Vocabulary,
    token_arrays,
    warnings_of,
)

ADDED_SCORE = -1000.0


def sentencepiece_bpe(
    source: SentencePieceModel,
    beside: Mapping[int, AddedToken],
    tokenizer_config: Mapping[str, Any],
    n_vocab: int,
) -> Vocabulary:
    """Return tokens, scores and types; `beside` are the added tokens of a tokenizer.json.

    Raises: CheckpointError for a model that is not a BPE, or a damaged list of added tokens.
    """
    if source.model_type != BPE:
        raise source.error("is not a BPE, the only kind of SentencePiece model that is supported")
    tokens = {id: _found_whole(token) for id, token in source.tokens.items()}
    for added in listed(source.path.parent, tokenizer_config):
        tokens[added.id] = scored(added_token(added))
    for id, added in beside.items():
        if id not in tokens:
            tokens[id] = scored(added_token(added))
    metadata: dict[str, Any] = {KEY + "model": "llama", KEY + "pre": "default"}
    metadata |= token_arrays(tokens, n_vocab, scores=True)
    if not source.add_dummy_prefix:
        metadata[KEY + "add_space_prefix"] = False
    return Vocabulary(metadata, _charsmap_lost(source) + warnings_of(tokens, n_vocab))


def scored(token: Token) -> Token:
    """Return a token that is added to a SentencePiece vocabulary."""
    return Token(token.text, token.type, ADDED_SCORE)


def _found_whole(token: Token) -> Token:
    if token.type is TokenType.USER_DEFINED:
        return Token(token.text.replace(SPACE, " "), token.type, token.score)
    return token


def _charsmap_lost(source: SentencePieceModel) -> list[str]:
    if not source.charsmap:
        return []
    return [f"{source.path}: it normalises text in a way that GGUF has no key for, and is lost"]
