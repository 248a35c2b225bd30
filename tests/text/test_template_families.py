"""The chat templates of the families, 70 files that llama.cpp ships, render as transformers does.

Tools, calls and their results, reasoning, and the switches for it included. What transformers made
of them is in template_hashes.json (`make_template_hashes.py`).
"""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from fetch import fetched_all
from template_cases import CASES, SPECIAL, TODAY
from tiny_vocab import spm_metadata, tokenizer

from ggjit.text import ChatTemplate, Tokenizer, sandbox

EXPECTED = json.loads(Path(__file__).with_name("template_hashes.json").read_text())
FOLDER = "vendor/llama.cpp/models/templates/"
# transformers cannot write a generator as JSON, which this template asks for.
BETTER = {"llama-cpp-deepseek-r1.jinja"}


class Today(datetime):
    @classmethod
    def now(cls, tz: object = None) -> Today:
        return cls(*TODAY)


@cache
def sources() -> dict[str, Path]:
    members = {FOLDER + name: entry["sha256"] for name, entry in EXPECTED.items()}
    found = fetched_all("llama-cpp-python==0.3.36", members, source=True)
    return {member.removeprefix(FOLDER): path for member, path in found.items()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    metadata = spm_metadata()
    metadata["tokens"] = [*metadata["tokens"][:-1], "<pad>"]
    path = tmp_path_factory.mktemp("tiny") / "m.gguf"
    found = tokenizer(path, metadata | {"padding_token_id": len(metadata["tokens"]) - 1})
    assert {f"{n}_token": found.piece(id) for n, id in found.vocab.special_ids.items()} == SPECIAL
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_as_transformers(tiny: Tokenizer, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sandbox, "datetime", Today)
    path = sources()[name]
    template = ChatTemplate(path.read_text(encoding="utf-8"), tiny, path)
    for case, expected in EXPECTED[name]["cases"].items():
        if expected or name not in BETTER:
            assert rendered(template, case) == expected, case


def rendered(template: ChatTemplate, case: str) -> str:
    try:
        text = template.render(**copy.deepcopy(CASES[case]))
    except ValueError:
        return ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
