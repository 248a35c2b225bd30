"""The report on a file's vocabulary against the checkpoint it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tokenizers import byte_level, byte_level_bpe, sentencepiece_bpe, write

from ggjit.gguf import GGUFFile
from ggjit.gguf.shard import Shard
from ggjit.gguf.values import Metadata
from ggjit_convert.keys import Typed
from ggjit_convert.vocab import vocabulary_of
from ggjit_convert.vocab.verification import verify_vocabulary

KEY = "tokenizer.ggml."
SETTINGS = {"temperature": 0.6, "top_k": 20}


def opened(metadata: dict[str, Any], path: Path) -> GGUFFile:
    """Return a file with these keys, as if it had been read."""

    def value(x: Any) -> Any:
        x = x.value if isinstance(x, Typed) else x
        if isinstance(x, list) and x and not isinstance(x[0], str):
            return np.array(x, np.float32 if isinstance(x[0], float) else np.int32)
        return float(np.float32(x)) if isinstance(x, float) else x

    values = {key: value(x) for key, x in metadata.items()}
    values["general.architecture"] = "llama"
    return GGUFFile([Shard(path, 3, Metadata(values, {}), [], None)])


@pytest.fixture
def metadata(tmp_path: Path) -> dict[str, Any]:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    config = {"chat_template": "T", "bos_token": "<|bos|>"}
    write(tmp_path, tokenizer, tokenizer_config=config, generation_config=SETTINGS)
    return vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "llama").metadata


def test_what_was_written_agrees(tmp_path: Path, metadata: dict[str, Any]) -> None:
    report = verify_vocabulary(tmp_path, opened(metadata, tmp_path), 100)
    assert report.agrees
    assert report.agreement.n_texts == 146
    assert str(report) == (
        f"{len(metadata)} keys of the vocabulary and templates, all as in the checkpoint\n"
        "146 texts are encoded as the checkpoint's tokenizer encodes them"
    )
    assert json.loads(json.dumps(report.as_json()))["agrees"] is True


def test_what_differs_is_named(tmp_path: Path, metadata: dict[str, Any]) -> None:
    changed = {**metadata, "tokenizer.chat_template": "U", KEY + "pre": "smollm"}
    del changed[KEY + "bos_token_id"]
    report = verify_vocabulary(tmp_path, opened(changed, tmp_path), 100)
    assert not report.agrees
    assert set(report.differing) == {
        "tokenizer.chat_template",
        KEY + "pre",
        KEY + "bos_token_id",
    }
    assert report.agreement.n_different  # digits are cut in another way
    assert "keys differ: tokenizer.ggml.pre" in str(report)


def test_sentencepiece(tmp_path: Path) -> None:
    sentencepiece_bpe(tmp_path / "tokenizer.model", normalization_rule_name="identity",
                      remove_extra_whitespaces=False)  # fmt: skip
    metadata = vocabulary_of(tmp_path, 330, "llama").metadata
    assert verify_vocabulary(tmp_path, opened(metadata, tmp_path), 100).agrees
