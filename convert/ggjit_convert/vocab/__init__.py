"""What a checkpoint says about its vocabulary, as GGUF keys: `vocabulary_of`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..sources.files import inside
from ..sources.strict_json import read_json
from .added import decoder_tokens, strip_keys
from .byte_fallback import FIRST_MISSING, MISSING, byte_fallback_bpe, space_prefix
from .byte_level import byte_level_bpe
from .chat_templates import chat_templates
from .families import family_keys
from .generation import generation_keys
from .sentencepiece import sentencepiece_bpe
from .sentencepiece_model import read_sentencepiece_model
from .slow_files import MERGES, VOCAB, as_tokenizer_json, has_slow_files
from .special_tokens import special_tokens
from .tekken import tekken_bpe
from .tiktoken import FILES, is_tiktoken, tiktoken_bpe
from .tokenizer_json import TokenizerJson, checked, read_tokenizer_json
from .vocabulary import KEY, OWN_KEY, Vocabulary

__all__ = ["Vocabulary", "tokenizer_file", "vocabulary_of"]

NAMES = ("tokenizer.json", "tekken.json", *FILES)


def vocabulary_of(
    folder: Path, n_vocab: int, arch: str, model: Path | None = None
) -> Vocabulary:  # fmt: skip
    """Read the vocabulary of a checkpoint with `n_vocab` rows of embeddings.

    `arch` is GGUF's name of the architecture; `model` the folder of config.json, if the tokenizer
    has another. Raises: CheckpointError naming the file and what is wrong in it; OSError.
    """
    model = model or folder
    tokenizer_config = _optional(folder, "tokenizer_config.json")
    source = _rules(folder, tokenizer_config or {})
    try:
        found = _tokens(folder, source, tokenizer_config or {}, n_vocab, arch)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(str(error), path=folder, field="tokens") from None
    config = _optional(model, "config.json") or {}
    found.metadata |= special_tokens(
        source, found.metadata[KEY + "tokens"], tokenizer_config, config, n_vocab
    )
    added = source.added if source else decoder_tokens(folder, tokenizer_config or {})
    found.metadata |= strip_keys(added.values(), n_vocab)
    found.metadata |= family_keys(arch, found.metadata, tokenizer_config or {}, n_vocab)
    found.metadata |= chat_templates(folder, tokenizer_config or {})
    generation = _optional(model, "generation_config.json") or {}
    found.metadata |= generation_keys(generation, config, found.metadata, n_vocab)
    return found


def _rules(folder: Path, tokenizer_config: dict[str, Any]) -> TokenizerJson | None:
    """Return what tokenizer.json says, or files of before say together."""
    path = inside(folder, "tokenizer.json")
    if path.is_file():
        return read_tokenizer_json(path)
    if tokenizer_file(folder) == (vocab := inside(folder, VOCAB)):
        return checked(vocab, as_tokenizer_json(folder, tokenizer_config))
    return None


def tokenizer_file(folder: Path) -> Path | None:
    """Return the file that tells a checkpoint's tokens, None if there is none."""
    paths = (inside(folder, name) for name in NAMES)
    found = next((path for path in paths if path.is_file()), None) or _mistral_model(folder)
    return inside(folder, VOCAB) if found is None and has_slow_files(folder) else found


def _tokens(
    folder: Path,
    source: TokenizerJson | None,
    tokenizer_config: dict[str, Any],
    n_vocab: int,
    arch: str,
) -> Vocabulary:
    """Return the tokens and what is done to text, from the file that tells most."""
    if source is not None and source.is_byte_level:
        return byte_level_bpe(source, n_vocab, arch)
    if source is None:
        if (tekken := inside(folder, "tekken.json")).is_file():
            return tekken_bpe(tekken, n_vocab)
        ranks = (inside(folder, name) for name in FILES)
        if (tiktoken := next(filter(is_tiktoken, ranks), None)) is not None:
            return tiktoken_bpe(tiktoken, tokenizer_config, n_vocab)
    model: Path | None = inside(folder, "tokenizer.model")
    if model and not model.is_file():
        model = None if source else _mistral_model(folder)
    if model:
        pieces = read_sentencepiece_model(model)
        found = sentencepiece_bpe(pieces, source.added if source else {}, tokenizer_config, n_vocab)
        if source is not None and (prefix := space_prefix(source)) in (MISSING, FIRST_MISSING):
            found.metadata[OWN_KEY + "space_prefix"] = prefix
        return found
    if source is not None:
        return byte_fallback_bpe(source, n_vocab)
    files = ", ".join(NAMES)
    problem = f"there is no tokenizer in it, none of {files}, nor {VOCAB} with {MERGES}"
    problem += "; --no-vocab does without"
    raise CheckpointError(problem, path=folder)


def _mistral_model(folder: Path) -> Path | None:
    """Return the latest of the models that Mistral numbers, tokenizer.model.v3."""
    names = [path.name for path in folder.glob("tokenizer.model.v*")]
    return inside(folder, max(names, key=_version)) if names else None


def _version(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _optional(folder: Path, name: str) -> dict[str, Any] | None:
    path = inside(folder, name)
    return read_json(path) if path.is_file() else None
