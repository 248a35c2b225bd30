"""Small tokenizers, trained here, written as a checkpoint's files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceTrainer
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


def character_bpe(
    normalizer: Any = None, pre_tokenizer: Any = None, n_vocab: int = 400
) -> Tokenizer:
    """Train a BPE over characters with a fallback to bytes, as SentencePiece's are."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab, special_tokens=special, show_progress=False, max_token_length=12
    )
    tokenizer.train_from_iterator([TEXT] * 5, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = data["added_tokens"][:3]  # the bytes are tokens of the model only
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    return tokenizer


def sentencepiece_bpe(path: Path, **options: Any) -> None:
    """Train a SentencePiece model with byte fallback and write it."""
    model = io.BytesIO()
    words = TEXT.split()
    SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words[i:] + words[:i]) for i in range(len(words))]),
        model_writer=model,
        **{"vocab_size": 330, "model_type": "bpe", "byte_fallback": True} | options,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())
