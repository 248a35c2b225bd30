"""tekken.json and tiktoken files: ranks become merges that encode as the ranks do."""

from __future__ import annotations

import base64
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from small_tokenizers import TEXT, byte_level, byte_level_bpe

from ggjit.text.bpe import BYTE_OF
from ggjit_convert.errors import CheckpointError
from ggjit_convert.vocab import vocabulary_of
from ggjit_convert.vocab.agreement import round_trip, tokenizer_of

KEY = "tokenizer.ggml."
NORMAL, CONTROL, UNUSED = 1, 3, 5
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = re.findall(r" ?[^\W\d_\u4e00-\u9fff]+", TEXT)  # each a word to all of the expressions below


@pytest.fixture(scope="module")
def ranks() -> dict[bytes, int]:
    vocab = byte_level_bpe(byte_level(use_regex=True), n_vocab=340).get_vocab()
    learnt = sorted((text for text in vocab if len(text) > 1), key=vocab.__getitem__)
    learnt = [text for text in learnt if not text.startswith("<")]  # special tokens
    texts = [*BYTE_OF, *learnt]  # "!" first, as in the models' files
    return {bytes(BYTE_OF[c] for c in text): rank for rank, text in enumerate(texts)}


def by_rank(ranks: dict[bytes, int], word: bytes) -> list[int]:
    """Encode a word as tiktoken does."""
    parts = [word[i : i + 1] for i in range(len(word))]
    while word not in ranks and len(parts) > 1:
        made = [ranks.get(a + b, 1 << 30) for a, b in pairwise(parts)]
        i = made.index(min(made))
        if made[i] == 1 << 30:
            break
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return [ranks[word]] if word in ranks else [ranks[part] for part in parts]


def tiktoken(path: Path, ranks: dict[bytes, int]) -> None:
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    path.write_bytes(b"".join(lines))


def tekken(folder: Path, ranks: dict[bytes, int], **changes: object) -> Path:
    entries = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for token, rank in ranks.items()
    ]
    config = {
        "pattern": TEKKEN,
        "default_vocab_size": len(ranks) + 20,
        "default_num_special_tokens": 25,
    }
    data = {"config": config, "vocab": entries, **changes}
    (folder / "tekken.json").write_text(json.dumps(data))
    return folder


FAMILIES = {
    "qwen.tiktoken": ("qwen2", "<|endoftext|>", "<|extra_204|>", 208),
    "tiktoken.model": ("kimi-k2", "[BOS]", "[PAD]", 256),
    "tokenizer.model": ("llama-bpe", "<|begin_of_text|>", "<|reserved_special_token_245|>", 256),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_tiktoken_files(tmp_path: Path, ranks: dict[bytes, int], name: str) -> None:
    pre, first, last, n_special = FAMILIES[name]
    tiktoken(tmp_path / name, ranks)
    n = len(ranks) + n_special
    metadata = vocabulary_of(tmp_path, n + 1, "llama").metadata
    assert metadata[KEY + "model"] == "gpt2"
    assert metadata[KEY + "pre"] == pre
    assert metadata[KEY + "tokens"][len(ranks) :: n_special - 1] == [first, last]
    assert metadata[KEY + "bos_token_id"] == len(ranks)
    types = metadata[KEY + "token_type"]
    assert types == [NORMAL] * len(ranks) + [CONTROL] * n_special + [UNUSED]
    engine = tokenizer_of(metadata, tmp_path)
    for word in WORDS:
        assert engine.encode(word, bos=False) == by_rank(ranks, word.encode()), word
    assert round_trip(tmp_path / name, engine, 200).n_different == 0


def test_tokenizer_config_names_special_tokens(tmp_path: Path, ranks: dict[bytes, int]) -> None:
    tiktoken(tmp_path / "tiktoken.model", ranks)
    decoder = {str(len(ranks) + 2): {"content": "<|im_end|>", "special": True}}
    config = {"added_tokens_decoder": decoder, "eos_token": "<|im_end|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    metadata = vocabulary_of(tmp_path, len(ranks) + 256, "deepseek2").metadata
    special = metadata[KEY + "tokens"][len(ranks) :]
    assert special[:4] == ["[BOS]", "[EOS]", "<|im_end|>", f"<|reserved_token_{len(ranks) + 3}|>"]
    assert metadata[KEY + "eos_token_id"] == len(ranks) + 2


def test_tekken(tmp_path: Path, ranks: dict[bytes, int]) -> None:
    found = vocabulary_of(tekken(tmp_path, ranks), len(ranks) + 20, "llama")
    metadata, tokens = found.metadata, found.metadata[KEY + "tokens"]
    assert not found.warnings
    assert metadata[KEY + "pre"] == "tekken"
    assert tokens[:4] == ["<unk>", "<s>", "</s>", "[INST]"]
    assert tokens[19:26] == ["[TOOL_CONTENT]", *(f"<SPECIAL_{i}>" for i in range(20, 25)), "!"]
    assert metadata[KEY + "token_type"] == [CONTROL] * 25 + [NORMAL] * (len(ranks) - 5)
    assert metadata[KEY + "add_bos_token"] is True
    assert metadata[KEY + "padding_token_id"] == 11
    used = {token: rank for token, rank in ranks.items() if rank < len(ranks) - 5}
    engine = tokenizer_of(metadata, tmp_path)
    for word in WORDS:
        expected = [id + 25 for id in by_rank(used, word.encode())]
        assert engine.encode(word, bos=False) == expected, word
    assert round_trip(tmp_path / "tekken.json", engine, 200).n_different == 0


def test_tekken_with_its_own_special_tokens(tmp_path: Path, ranks: dict[bytes, int]) -> None:
    special = [{"rank": 0, "token_str": "<s>"}, {"rank": 2, "token_str": "[THINK]"}]
    tekken(tmp_path, ranks, special_tokens=special)
    metadata = vocabulary_of(tmp_path, len(ranks) + 20, "llama").metadata
    assert metadata[KEY + "tokens"][:4] == ["<s>", "<SPECIAL_1>", "[THINK]", "<SPECIAL_3>"]
    assert metadata[KEY + "bos_token_id"] == 0


BAD_LINES = {
    b"IQ== x": "line 1: must be a token in base64 and a rank",
    b"IQ== 0\n?? 1": "line 2: must be a token in base64 and a rank",
    b"IQ== 0\n": "byte 0 is not a token",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_tiktoken_files(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "qwen.tiktoken").write_bytes(line)
    with pytest.raises(CheckpointError, match=BAD_LINES[line]):
        vocabulary_of(tmp_path, 300, "qwen")


def test_ranks_must_be_different(tmp_path: Path, ranks: dict[bytes, int]) -> None:
    tiktoken(tmp_path / "qwen.tiktoken", {**ranks, b"!!!": 7})
    with pytest.raises(CheckpointError, match="ranks must be different"):
        vocabulary_of(tmp_path, 300, "qwen")


BAD_TEKKEN = {
    "config": ({"config": 5}, "config.default_num_special_tokens: must be a number"),
    "huge": (
        {"config": {"default_vocab_size": 350, "default_num_special_tokens": 1 << 30}},
        "config.default_num_special_tokens: must be a number",
    ),
    "vocab": ({"vocab": 5}, "vocab: must be a list"),
    "entry": ({"vocab": [5]}, r"vocab\[0\]: must have a rank"),
    "rank": ({"vocab": [{"rank": 1, "token_bytes": "IQ=="}]}, r"vocab\[0\]: has rank 1"),
    "special": ({"special_tokens": [5]}, "special_tokens: must be a list of objects"),
    "pattern": (
        {"config": {"default_vocab_size": 350, "default_num_special_tokens": 5, "pattern": 5}},
        r"config\.pattern: must be an expression",
    ),
}


@pytest.mark.parametrize("name", BAD_TEKKEN)
def test_bad_tekken(tmp_path: Path, ranks: dict[bytes, int], name: str) -> None:
    changes, problem = BAD_TEKKEN[name]
    with pytest.raises(CheckpointError, match=problem):
        vocabulary_of(tekken(tmp_path, ranks, **changes), 300, "llama")
