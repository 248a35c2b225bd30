"""Small tokenizers, trained here, written as a checkpoint's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

TEXT = (
    "the quick brown fox jumps over the lazy dog; it's 12345 o'clock, isn't it? "
    "def f(x):\n    return x ** 2\n\nnaïve café straße, мир и война, 你好世界 "
)
SPECIAL = ["<|bos|>", "<|end|>"]
ALL_BYTES = pre_tokenizers.ByteLevel.alphabet()

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern: str, behavior: str = "isolated", invert: bool = False) -> Any:
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(use_regex: bool = False) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def byte_level_bpe(*steps: Any, normalizer: Any = None, n_vocab: int = 320) -> Tokenizer:
    """Train a byte-level BPE with the given pre-tokenizer steps and a few special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab, initial_alphabet=ALL_BYTES, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 5, trainer)
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    return tokenizer


def write(folder: Path, tokenizer: Tokenizer, **files: Any) -> Path:
    """Write tokenizer.json and other JSON files; names without their ending."""
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def edited(folder: Path, **changes: Any) -> Path:
    """Change fields of tokenizer.json, those of the model with model_ before."""
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        place = data["model"] if name.startswith("model_") else data
        place[name.removeprefix("model_")] = value
    path.write_text(json.dumps(data), encoding="utf-8")
    return folder
