"""Real vocabularies: every encoding that llama.cpp ships with them must come out.

The files `models/ggml-vocab-*.gguf` with their .inp (texts) and .out (ids) are in the source
archive of llama-cpp-python; the ids are Hugging Face's.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from fetch import fetched_all

from ggjit.gguf import open_gguf
from ggjit.text import Tokenizer

SOURCE = "llama-cpp-python==0.3.36"
SEPARATOR = "\n__ggml_vocab_test__\n"
CHECKSUMS: dict[str, str] = json.loads(Path(__file__).with_name("vocab_files.json").read_text())
VOCABS = [name for name in CHECKSUMS if name.endswith(".gguf")]
# Written by hand from the models' own configurations, not from a run.
ENDS = {
    "ggml-vocab-llama-bpe.gguf": {"<|end_of_text|>", "<|eot_id|>"},
    "ggml-vocab-qwen2.gguf": {"<|endoftext|>", "<|im_end|>"},
    "ggml-vocab-phi-3.gguf": {"<|endoftext|>", "<|end|>", "</s>"},
    "ggml-vocab-llama-spm.gguf": {"</s>"},
}


@cache
def files() -> dict[str, Path]:
    folder = "vendor/llama.cpp/models/"
    members = {folder + name: sha256 for name, sha256 in CHECKSUMS.items()}
    found = fetched_all(SOURCE, members, source=True)
    return {member.removeprefix(folder): path for member, path in found.items()}


@pytest.fixture(scope="module", params=VOCABS)
def vocab(request: pytest.FixtureRequest) -> tuple[str, Tokenizer]:
    return request.param, Tokenizer.from_gguf(open_gguf(files()[request.param]))


def texts_of(name: str) -> list[str]:
    return files()[f"{name}.inp"].read_bytes().decode().split(SEPARATOR)


def test_encodings(vocab: tuple[str, Tokenizer]) -> None:
    name, tokenizer = vocab
    texts = texts_of(name)
    lines = files()[f"{name}.out"].read_text().split("\n")[: len(texts)]
    assert len(texts) == len(lines) > 40
    for text, line in zip(texts, lines, strict=True):
        assert tokenizer.encode(text, bos=False) == [int(id) for id in line.split()], repr(text)


def test_round_trips(vocab: tuple[str, Tokenizer]) -> None:
    name, tokenizer = vocab
    if tokenizer.vocab.model == "bert":
        pytest.skip("it does not keep spaces, accents and capital letters")
    for text in texts_of(name):
        assert tokenizer.decode(tokenizer.encode(text, bos=False)) == text


def test_ends_of_generation(vocab: tuple[str, Tokenizer]) -> None:
    name, tokenizer = vocab
    ends = {tokenizer.vocab.tokens[id] for id in tokenizer.eog_ids}
    assert ends == ENDS.get(name, ends)
    assert tokenizer.eos_id in tokenizer.eog_ids
