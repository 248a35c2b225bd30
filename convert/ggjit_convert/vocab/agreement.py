"""Whether a file's tokenizer does what the checkpoint's own does, tried on texts.

Both sides add no special tokens around a text; those written in it are found by both where the
checkpoint's does that, which only tokenizer.json does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer as LibraryTokenizer
from tokenizers.normalizers import NFC

from ggjit.gguf import GGUFFile
from ggjit.gguf.shard import Shard
from ggjit.gguf.values import Metadata
from ggjit.text import Tokenizer
from ggjit.text.pretokenizers import PRE_TOKENIZERS

from ..sources.files import inside
from ..sources.strict_json import read_json
from .nasty_texts import NASTY, random_texts
from .ranks import encoder, read_ranks
from .slow_files import VOCAB, as_tokenizer_json
from .tekken import read_tekken
from .tiktoken import FILES, is_tiktoken

Encode = Callable[[str], list[int]]

N_RANDOM = 10_000
N_SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """A text that the two sides encode differently."""

    text: str
    expected: list[int]
    found: list[int]

    def __str__(self) -> str:
        at = next(
            (i for i, (a, b) in enumerate(zip(self.expected, self.found, strict=False)) if a != b),
            min(len(self.expected), len(self.found)),
        )
        expected, found = self.expected[at : at + 4], self.found[at : at + 4]
        return f"{self.text!r}: at token {at} {expected} expected, {found} found"


@dataclass(frozen=True)
class Agreement:
    """How many texts were tried and differ; `differences` are the first of them."""

    n_texts: int
    n_different: int
    differences: list[Difference]

    def __str__(self) -> str:
        if not self.n_different:
            return f"{self.n_texts} texts are encoded as the checkpoint's tokenizer encodes them"
        head = f"{self.n_different} of {self.n_texts} texts are encoded differently"
        return "\n  ".join([head, *map(str, self.differences)])


def round_trip(source: Path, tokenizer: Tokenizer, n_random: int = N_RANDOM) -> Agreement:
    """Compare a checkpoint's file (`tokenizer_file`) with the tokenizer of a GGUF file.

    Raises: ValueError where the file cannot be read.
    """
    read, special = _tokenizer_json, source.suffix == ".json"
    if source.name == VOCAB:
        read = _slow_files
    elif ".model" in source.suffixes:
        read = _sentencepiece
    if source.name == "tekken.json":
        read, special = _tekken, False
    elif is_tiktoken(source):
        read = _tiktoken
    try:
        encode, words = read(source)
    except Exception as error:
        raise ValueError(f"{source}: {error}") from None
    texts = [*NASTY, *random_texts(words, n_random)]
    return compared(encode, tokenizer, texts, special=special)


def compared(
    encode: Encode, tokenizer: Tokenizer, texts: Iterable[str], *, special: bool
) -> Agreement:
    """Encode texts with both; `special` tells whether control tokens are found in them."""
    n_texts, different = 0, []
    for text in texts:
        expected = encode(text)
        found = tokenizer.encode(text, special=special, bos=False)
        n_texts += 1
        if found != expected:
            different.append(Difference(text, expected, found))
    different.sort(key=lambda difference: len(difference.text))
    return Agreement(n_texts, len(different), different[:N_SHOWN])


def _tokenizer_json(path: Path) -> tuple[Encode, list[str]]:
    return _of_library(LibraryTokenizer.from_file(str(path)))


def _of_library(library: LibraryTokenizer) -> tuple[Encode, list[str]]:
    words = sorted(library.get_vocab(with_added_tokens=True))
    return lambda text: library.encode(text, add_special_tokens=False).ids, words


def _slow_files(path: Path) -> tuple[Encode, list[str]]:
    config = inside(path.parent, "tokenizer_config.json")
    found = as_tokenizer_json(path.parent, read_json(config) if config.is_file() else {})
    return _of_library(LibraryTokenizer.from_str(json.dumps(found)))


def _sentencepiece(path: Path) -> tuple[Encode, list[str]]:
    processor = SentencePieceProcessor(model_file=str(path))
    words = [processor.id_to_piece(id) for id in range(processor.vocab_size())]
    return processor.encode, words


def _tekken(path: Path) -> tuple[Encode, list[str]]:
    source = read_tekken(path)
    encode = encoder(source.ranks, source.pattern, len(source.special))
    return encode, [token.decode(errors="replace") for token in source.ranks]


def _tiktoken(path: Path) -> tuple[Encode, list[str]]:
    ranks, recipe = read_ranks(path), PRE_TOKENIZERS[FILES[path.name].pre]
    encode = encoder(ranks, recipe.patterns[0])
    words = [token.decode(errors="replace") for token in ranks]
    return (lambda text: encode(NFC().normalize_str(text))) if recipe.nfc else encode, words


def tokenizer_of(metadata: Mapping[str, Any], path: Path) -> Tokenizer:
    """Build the tokenizer that a file with these keys has; `path` is for messages."""
    values = {
        key: np.array(value, np.float32 if isinstance(value[0], float) else np.int32)
        if isinstance(value, list) and value and not isinstance(value[0], str)
        else value
        for key, value in metadata.items()
    }
    shard = Shard(path, 3, Metadata(values, dict.fromkeys(values, "")), [], None)
    return Tokenizer.from_gguf(GGUFFile([shard]))
