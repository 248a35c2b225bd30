"""Pre-tokenizers that a file brings along in keys of our own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_vocab import bpe_metadata, tokenizer

from ggjit.gguf import GGUFError

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
WORDS = {"type": "Split", "pattern": {"String": "l"}, "behavior": "Isolated", "invert": False}


def rule(*steps: dict) -> str:
    return json.dumps({"type": "Sequence", "pretokenizers": steps})


def test_they_count_instead_of_the_name(tmp_path: Path) -> None:
    path, metadata = tmp_path / "m.gguf", bpe_metadata()
    named = tokenizer(path, metadata)
    own = tokenizer(path, metadata, tokenizer__ggjit__pre_tokenizer=rule(WORDS, BYTES))
    assert [named.piece(id) for id in named.encode("hello")] == ["hello"]
    assert [own.piece(id) for id in own.encode("hello")] == ["he", "l", "l", "o"]


def test_text_is_normalised_first(tmp_path: Path) -> None:
    own = tokenizer(
        tmp_path / "m.gguf",
        bpe_metadata(),
        tokenizer__ggjit__normalizer='{"type": "Lowercase"}',
        tokenizer__ggjit__pre_tokenizer=rule(BYTES),
    )
    assert own.decode(own.encode("HELLO<think>Hello")) == "hello<think>hello"


def test_tokens_that_take_spaces_along(tmp_path: Path) -> None:
    path, metadata = tmp_path / "m.gguf", bpe_metadata()
    think = metadata["tokens"].index("<think>")
    ids = np.array([think], np.int32)
    own = tokenizer(path, metadata, tokenizer__ggjit__strips_left=ids)
    assert own.decode(own.encode("hello \u2003<think> hello")) == "hello<think> hello"
    own = tokenizer(path, metadata, tokenizer__ggjit__strips_right=ids)
    assert (
        own.decode(own.encode("hello <think> \u2003hello<think> ")) == "hello <think>hello<think>"
    )


@pytest.mark.parametrize("ids", [[-1], [1 << 30]])
def test_tokens_that_there_are_not(tmp_path: Path, ids: list[int]) -> None:
    bad = np.array(ids, np.int32)
    with pytest.raises(GGUFError, match="strips_left: must be an array of ids"):
        tokenizer(tmp_path / "m.gguf", bpe_metadata(), tokenizer__ggjit__strips_left=bad)


@pytest.mark.parametrize("text", ["", "{", "5", '{"type": "NoSuchThing"}'])
def test_rules_that_the_library_does_not_know(tmp_path: Path, text: str) -> None:
    with pytest.raises(GGUFError, match="pre_tokenizer: is not a rule"):
        tokenizer(tmp_path / "m.gguf", bpe_metadata(), tokenizer__ggjit__pre_tokenizer=text)
