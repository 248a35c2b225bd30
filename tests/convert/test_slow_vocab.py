"""vocab.json and merges.txt, without a tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_tokenizers import LLAMA3, SPECIAL, byte_level, byte_level_bpe, split, write
from tokenizers import normalizers

from ggjit_convert.errors import CheckpointError
from ggjit_convert.vocab import tokenizer_file, vocabulary_of
from ggjit_convert.vocab.agreement import round_trip, tokenizer_of

KEY = "tokenizer.ggml."
KINDS = {
    "GPT2Tokenizer": ([byte_level(use_regex=True)], None, "gpt2"),
    "Qwen2TokenizerFast": (
        [split(LLAMA3.replace("{1,3}", "")), byte_level()], normalizers.NFC(), "qwen2",
    ),
}  # fmt: skip


def slow(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a tokenizer both ways."""
    steps, normalizer, _ = KINDS[name]
    tokenizer = byte_level_bpe(*steps, normalizer=normalizer)
    config = {"tokenizer_class": name, "eos_token": SPECIAL[1]}
    fast = write(folder / "fast", tokenizer, tokenizer_config=config)
    model = json.loads(tokenizer.to_str())
    added = {entry.pop("id"): entry for entry in model["added_tokens"]}
    made = folder / "slow"
    made.mkdir()
    (made / "vocab.json").write_text(json.dumps(model["model"]["vocab"]))
    merges = [" ".join(pair) for pair in model["model"]["merges"]]
    (made / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    told = config | {"added_tokens_decoder": {str(id): entry for id, entry in added.items()}}
    (made / "tokenizer_config.json").write_text(json.dumps(told))
    return fast, made


@pytest.mark.parametrize("name", KINDS)
def test_they_say_what_a_tokenizer_json_says(tmp_path: Path, name: str) -> None:
    fast, made = slow(tmp_path, name)
    arch = KINDS[name][2]
    n = len(json.loads((made / "vocab.json").read_text())) + 3
    found = vocabulary_of(made, n, arch)
    assert found == vocabulary_of(fast, n, arch)
    file = tokenizer_file(made)
    assert file
    assert round_trip(file, tokenizer_of(found.metadata, made), 200).n_different == 0


@pytest.mark.parametrize(("changes", "says"), [
    ({"tokenizer_config.json": '{"tokenizer_class": "OddTokenizer"}'},
     "tokenizer_class: is 'OddTokenizer', known without a tokenizer.json: GPT2Tokenizer"),
    ({"merges.txt": "a\n"}, r"model\.merges\[0\]: must be two tokens"),
    ({"vocab.json": '{"a": "b"}'}, "model.vocab: the id of 'a'"),
    ({"merges.txt": None}, "no tokenizer in it"),
])  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict, says: str) -> None:
    _, made = slow(tmp_path, "GPT2Tokenizer")
    for name, text in changes.items():
        (made / name).unlink()
        if text is not None:
            (made / name).write_text(text)
    with pytest.raises(CheckpointError, match=says):
        vocabulary_of(made, 300, "gpt2")
