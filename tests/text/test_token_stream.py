"""Streaming: the pieces join to what `decode` gives, and characters come whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_vocab
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_vocab import bpe_metadata, spm_metadata

from ggjit.text import Tokenizer


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> list[Tokenizer]:
    folder: Path = tmp_path_factory.mktemp("stream")
    return [
        tiny_vocab.tokenizer(folder / "bpe.gguf", bpe_metadata()),
        tiny_vocab.tokenizer(folder / "spm.gguf", spm_metadata()),
    ]


def byte_ids(tokenizer: Tokenizer, data: bytes) -> list[int]:
    """Return one byte token per byte."""
    ids = {tokenizer._token_bytes(id): id for id in range(tokenizer.n_vocab)}
    return [ids[bytes([byte])] for byte in data]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_pieces_join_to_decode(tokenizers: list[Tokenizer], data: st.DataObject) -> None:
    for tokenizer in tokenizers:
        ids = data.draw(st.lists(st.integers(0, tokenizer.n_vocab - 1), max_size=30))
        for special in (True, False):
            stream = tokenizer.stream(special=special)
            text = "".join(stream.push(id) for id in ids) + stream.flush()
            assert text == tokenizer.decode(ids, special=special)


def test_characters_come_whole(tokenizers: list[Tokenizer]) -> None:
    for tokenizer in tokenizers:
        stream = tokenizer.stream()
        pushed = [stream.push(id) for id in byte_ids(tokenizer, "é🦙".encode())]
        assert pushed == ["", "é", "", "", "", "🦙"]
        assert stream.flush() == ""


def test_replacement_only_when_certain(tokenizers: list[Tokenizer]) -> None:
    tokenizer = tokenizers[0]
    stream = tokenizer.stream()
    unfinished, letter, alone = byte_ids(tokenizer, b"\xf0"), byte_ids(tokenizer, b"a"), b"\xff"
    assert stream.push(unfinished[0]) == ""
    assert stream.push(letter[0]) == "\ufffda"
    assert stream.push(byte_ids(tokenizer, alone)[0]) == "\ufffd"
    assert stream.push(unfinished[0]) == ""
    assert stream.flush() == "\ufffd"
    assert stream.push(letter[0]) == "a"


def test_a_continuation_keeps_its_leading_space(tokenizers: list[Tokenizer]) -> None:
    spm = tokenizers[1]
    (hello,) = spm.encode("hello", bos=False)
    assert spm.stream().push(hello) == "hello"
    assert spm.stream(continues=True).push(hello) == " hello"


def test_only_the_first_space_goes(tokenizers: list[Tokenizer]) -> None:
    spm = tokenizers[1]
    (hello,) = spm.encode("hello", bos=False)
    assert spm.decode([hello, hello]) == "hello hello"
    assert spm.decode([1, hello]) == "<s> hello"
    assert spm.decode([1, hello], special=False) == "hello"
