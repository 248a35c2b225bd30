"""Damaged vocabularies: one sentence that names file and key, and no crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_vocab
from tiny_vocab import BYTE, bpe_metadata, spm_metadata

from ggjit.gguf import GGUFError
from ggjit.text import Tokenizer

TOKENS = bpe_metadata()["tokens"]
N = len(TOKENS)
MERGES = tiny_vocab.MERGES


def _token(id: int, text: str, metadata: Any = bpe_metadata) -> list[str]:
    tokens: list[str] = metadata()["tokens"]
    return [*tokens[:id], text, *tokens[id + 1 :]]


def _types(value: int) -> np.ndarray:
    types: np.ndarray = bpe_metadata()["token_type"].copy()
    types[7] = value
    return types


def _scores(value: float) -> np.ndarray:
    scores: np.ndarray = spm_metadata()["scores"].copy()
    scores[7] = value
    return scores


BAD_BPE: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "tokenizer.ggml.model"),
    "model is a number": ({"model": 3}, "tokenizer.ggml.model"),
    "unknown model": ({"model": "rwkv"}, "'rwkv' is not supported, only gpt2, llama"),
    "unknown pre": ({"pre": "klingon"}, "'klingon' is not supported, only a.x-4.0"),
    "no tokens": ({"tokens": None}, "tokenizer.ggml.tokens"),
    "empty tokens": ({"tokens": []}, "tokenizer.ggml.tokens"),
    "tokens are numbers": ({"tokens": _types(1)}, "tokenizer.ggml.tokens"),
    "a token of 1 MiB": ({"tokens": _token(5, "x" * (1 << 20))}, r"tokens\[5\]: has 1048576"),
    "types too few": ({"token_type": _types(1)[:-1]}, f"token_type: has {N - 1} values for {N}"),
    "types too many": ({"token_type": np.append(_types(1), np.int32(1))}, "token_type: "),
    "types of u8": ({"token_type": _types(1).astype(np.uint8)}, "array of int32, found uint8"),
    "types of f32": ({"token_type": _types(1).astype(np.float32)}, "found float32"),
    "type 7": ({"token_type": _types(7)}, r"token_type\[7\]: must be 0 to 6, found 7"),
    "type -1": ({"token_type": _types(-1)}, r"token_type\[7\]: must be 0 to 6, found -1"),
    "bos too high": ({"bos_token_id": N}, f"bos_token_id: {N} is not one of the {N} tokens"),
    "eos is -1": ({"eos_token_id": 2**32 - 1}, "eos_token_id: 4294967295 is not"),
    "eot too high": ({"eot_token_id": 10**6}, "eot_token_id"),
    "eos is text": ({"eos_token_id": "2"}, "eos_token_id"),
    "eos is a bool": ({"eos_token_id": True}, "eos_token_id"),
    "add_bos is text": ({"add_bos_token": "yes"}, "add_bos_token"),
    "no bos to add": ({"add_bos_token": True, "bos_token_id": None}, "bos_token_id: the key is"),
    "no eos to add": ({"add_eos_token": True, "eos_token_id": None}, "eos_token_id: the key is"),
    "no merges": ({"merges": None}, "tokenizer.ggml.merges"),
    "merges are numbers": ({"merges": _types(1)}, "tokenizer.ggml.merges"),
    "a merge of one": ({"merges": [*MERGES, "he"]}, r"merges\[10\]: must be two tokens"),
    "an empty merge": ({"merges": ["", *MERGES]}, r"merges\[0\]: must be two tokens"),
    "a merge with nothing": ({"merges": [*MERGES, "h "]}, r"merges\[10\]: must be two tokens"),
    "a merge of three": ({"merges": [*MERGES, "h e l"]}, r"needs 'e l', which is not a token"),
    "an unknown side": ({"merges": [*MERGES, "hx e"]}, "'hx e' needs 'hx', which is not"),
    "a long result": ({"merges": [*MERGES, f"{'h' * 99} e"]}, "which is not a token"),
    "a result longer than any token": ({"merges": ["<|end|><think> hello"]}, "is not a token"),
    "an unknown result": ({"merges": [*MERGES, "e h"]}, "'e h' needs 'eh', which is not"),
}

BAD_SPM: dict[str, tuple[dict[str, Any], str]] = {
    "no scores": ({"scores": None}, "tokenizer.ggml.scores: the key is missing"),
    "scores too few": ({"scores": _scores(0)[:-1]}, "tokenizer.ggml.scores: has"),
    "scores of i8": ({"scores": _scores(0).astype(np.int8)}, "float32 or int32, found int8"),
    "a NaN score": ({"scores": _scores(np.nan)}, r"scores\[7\]: must be finite, found nan"),
    "an infinite score": ({"scores": _scores(np.inf)}, r"scores\[7\]: must be finite, found inf"),
    "byte <0x-1>": ({"tokens": _token(10, "<0x-1>", spm_metadata)}, r"tokens\[10\]: a byte is"),
    "byte <0x1_0>": ({"tokens": _token(10, "<0x1_0>", spm_metadata)}, r"tokens\[10\]: a byte is"),
    "byte <0xＡＡ>": ({"tokens": _token(10, "<0xＡＡ>", spm_metadata)}, r"tokens\[10\]: a byte is"),
    "byte <0x41>x": ({"tokens": _token(10, "<0x41>x", spm_metadata)}, r"tokens\[10\]: a byte is"),
    "byte twice": ({"tokens": _token(10, "<0xaa>", spm_metadata)}, "is the same byte as token"),
}


@pytest.mark.parametrize("name", BAD_BPE)
def test_bad_bpe(tmp_path: Path, name: str) -> None:
    changes, message = BAD_BPE[name]
    path = tmp_path / "bad.gguf"
    with pytest.raises(GGUFError, match=message) as error:
        tiny_vocab.tokenizer(path, bpe_metadata(**changes))
    assert str(error.value).startswith(f"{path}: tokenizer.ggml.")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", BAD_SPM)
def test_bad_spm(tmp_path: Path, name: str) -> None:
    changes, message = BAD_SPM[name]
    with pytest.raises(GGUFError, match=message):
        tiny_vocab.tokenizer(tmp_path / "bad.gguf", spm_metadata(**changes))


def test_missing_byte_token(tmp_path: Path) -> None:
    types = spm_metadata()["token_type"].copy()
    assert types[13] == BYTE
    types[13] = 1
    with pytest.raises(GGUFError, match="<0x0A> is missing among the byte tokens"):
        tiny_vocab.tokenizer(tmp_path / "bad.gguf", spm_metadata(token_type=types))


def test_odd_but_accepted(tmp_path: Path) -> None:
    """What real files have: no types, an empty token, a padding id of -1, scores as integers."""
    accepted = [
        bpe_metadata(token_type=None),
        bpe_metadata(tokens=_token(N - 1, "")),
        bpe_metadata(padding_token_id=2**32 - 1),
        bpe_metadata(pre=None),
        bpe_metadata(merges=[]),
        spm_metadata(scores=spm_metadata()["scores"].astype(np.int32)),
        spm_metadata(token_type=None),
        spm_metadata(tokens=_token(259 + 11, "\0", spm_metadata)),
    ]
    for i, metadata in enumerate(accepted):
        tokenizer = tiny_vocab.tokenizer(tmp_path / f"{i}.gguf", metadata)
        assert tokenizer.decode(tokenizer.encode("hello", bos=False)) == "hello"


def test_tokens_that_steer_a_terminal(tmp_path: Path) -> None:
    tokens = _token(5, "\x1b[2J\n\0")
    tokenizer = tiny_vocab.tokenizer(tmp_path / "ansi.gguf", bpe_metadata(tokens=tokens))
    assert isinstance(tokenizer, Tokenizer)
    with pytest.raises(GGUFError) as error:
        tiny_vocab.tokenizer(tmp_path / "ansi.gguf", bpe_metadata(merges=["\x1b[2J\n"]))
    assert str(error.value).isprintable()
