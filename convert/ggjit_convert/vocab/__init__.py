"""What a checkpoint says about its vocabulary, as GGUF keys: `vocabulary_of`."""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError
from ..sources.files import inside
from ..sources.strict_json import read_json
from .byte_level import byte_level_bpe
from .chat_templates import chat_templates
from .special_tokens import special_tokens
from .tokenizer_json import read_tokenizer_json
from .vocabulary import KEY, Vocabulary

__all__ = ["Vocabulary", "vocabulary_of"]


def vocabulary_of(folder: Path, n_vocab: int, arch: str) -> Vocabulary:
    """Read the vocabulary of a checkpoint with `n_vocab` rows of embeddings.

    `arch` is GGUF's name of the architecture. Raises: CheckpointError naming the file and what is
    wrong in it; OSError.
    """
    path = inside(folder, "tokenizer.json")
    if not path.is_file():
        raise CheckpointError("there is no tokenizer.json", path=folder)
    source = read_tokenizer_json(path)
    if not source.is_byte_level:
        raise CheckpointError("is not a byte-level BPE", path=path, field="model")
    vocabulary = byte_level_bpe(source, n_vocab, arch)
    tokenizer_config = _optional(folder, "tokenizer_config.json")
    config = _optional(folder, "config.json") or {}
    vocabulary.metadata |= special_tokens(source, tokenizer_config, config, n_vocab)
    # Said outright: some names of pre-tokenizers have a BOS by default.
    vocabulary.metadata.setdefault(KEY + "add_bos_token", False)
    if tokenizer_config is not None:
        vocabulary.metadata |= chat_templates(folder, tokenizer_config)
    return vocabulary


def _optional(folder: Path, name: str) -> dict[str, object] | None:
    path = inside(folder, name)
    return read_json(path) if path.is_file() else None
