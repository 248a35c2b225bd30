"""Small vocabularies, written as real GGUF files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from build_gguf import BOOL, F32, I8, I32, STR, U8, U32, array, build, pair

from ggjit.gguf import GGUFFile, open_gguf
from ggjit.text import Tokenizer
from ggjit.text.bpe import BYTE_OF

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
KEY = "tokenizer.ggml."
ARRAY_TYPES = {"int32": I32, "float32": F32, "uint8": U8, "int8": I8}

BPE_SPECIAL = {
    "<|bos|>": CONTROL,
    "<|end|>": CONTROL,
    "<|eot|>": CONTROL,
    "<think>": USER_DEFINED,
    "<|end|><think>": USER_DEFINED,
    "[UNUSED]": UNUSED,
}
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "l d", "Ġw or", "Ġwor ld", "1 2"]
SPM_WORDS = ["▁", "h", "e", "l", "o", "he", "ll", "hell", "hello", "▁hello", "▁▁", "w", "é"]


def bpe_metadata(**changes: Any) -> dict[str, Any]:
    """Return the keys of a byte-level BPE; `changes` replace keys, None takes one away."""
    tokens = [*BYTE_OF, *(merge.replace(" ", "") for merge in MERGES), *BPE_SPECIAL]
    n_plain = len(tokens) - len(BPE_SPECIAL)
    metadata = {
        "model": "gpt2",
        "pre": "gpt-2",
        "tokens": tokens,
        "token_type": np.array([NORMAL] * n_plain + list(BPE_SPECIAL.values()), np.int32),
        "merges": list(MERGES),
        "bos_token_id": tokens.index("<|bos|>"),
        "eos_token_id": tokens.index("<|end|>"),
    }
    return _changed(metadata, changes)


def spm_metadata(**changes: Any) -> dict[str, Any]:
    """Return the keys of a SentencePiece BPE with byte tokens."""
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *byte_tokens, *SPM_WORDS, "<|im|>", "  "]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * len(SPM_WORDS)]
    metadata = {
        "model": "llama",
        "tokens": tokens,
        "token_type": np.array([*types, CONTROL, USER_DEFINED], np.int32),
        "scores": -np.arange(len(tokens), dtype=np.float32),
    }
    return _changed(metadata, changes)


def write(path: Path, metadata: dict[str, Any], **others: Any) -> GGUFFile:
    """Write a GGUF file of `tokenizer.ggml.` keys and of `others`, and open it."""
    values = {KEY + key: value for key, value in metadata.items()}
    values |= {key.replace("__", "."): value for key, value in others.items()}
    path.write_bytes(build([_pair(key, value) for key, value in values.items()]))
    return open_gguf(path)


def tokenizer(path: Path, metadata: dict[str, Any], **others: Any) -> Tokenizer:
    """Return the tokenizer of a file written to `path`."""
    return Tokenizer.from_gguf(write(path, metadata, **others))


def _changed(metadata: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (metadata | changes).items() if value is not None}


def _pair(key: str, value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return array(key, ARRAY_TYPES[value.dtype.name], value.tolist())
    if isinstance(value, list):
        return array(key, STR, value)
    return pair(key, {bool: BOOL, int: U32, str: STR}[type(value)], value)
