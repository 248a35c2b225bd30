"""Byte-level BPE, `tokenizer.ggml.model` = gpt2, from tokenizer.json.

Source: llama.cpp `conversion/base.py` (`get_vocab_base`, `_set_vocab_gpt2`) for what is written.
"""

from __future__ import annotations

from typing import Any

from .added import added_token
from .pre_tokenizer import pre_tokenizer
from .tokenizer_json import TokenizerJson
from .vocabulary import KEY, Token, TokenType, Vocabulary, token_arrays, warnings_of

# Options of the model that byte-level BPE leaves empty; GGUF has no place for them.
NO_SUCH_OPTIONS = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")


def byte_level_bpe(source: TokenizerJson, n_vocab: int, arch: str) -> Vocabulary:
    """Return tokens, types, merges and the pre-tokenizer.

    Raises: CheckpointError for a model that GGUF cannot describe.
    """
    _check_options(source)
    tokens = {id: Token(text, TokenType.NORMAL) for text, id in source.ids.items()}
    tokens |= {id: added_token(added) for id, added in source.added.items()}
    pre = pre_tokenizer(source, arch)
    metadata: dict[str, Any] = {KEY + "model": "gpt2", **pre.metadata}
    metadata |= token_arrays(tokens, n_vocab)
    metadata[KEY + "merges"] = [merge_line(*pair) for pair in source.merges]
    return Vocabulary(metadata, pre.warnings + warnings_of(tokens, n_vocab))


def merge_line(left: str, right: str) -> str:
    """Return a merge as GGUF writes it; a space in a token would be taken for the one between."""
    return f"{left.replace(' ', 'Ġ')} {right.replace(' ', 'Ġ')}"


def _check_options(source: TokenizerJson) -> None:
    for name in NO_SUCH_OPTIONS:
        value = source.model.get(name)
        if value:
            problem = f"{str(value)[:40]!r} is not supported for byte-level BPE"
            raise source.error(f"model.{name}", problem)
