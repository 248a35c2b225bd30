"""The tokenizer's rules, on vocabularies small enough to see through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_vocab
from tiny_vocab import BYTE, CONTROL, NORMAL, bpe_metadata, spm_metadata

from ggjit.text import Tokenizer

HELLO_WORLD = ["hello", " world"]


@pytest.fixture
def bpe(tmp_path: Path) -> Tokenizer:
    return tiny_vocab.tokenizer(tmp_path / "bpe.gguf", bpe_metadata())


@pytest.fixture
def spm(tmp_path: Path) -> Tokenizer:
    return tiny_vocab.tokenizer(tmp_path / "spm.gguf", spm_metadata())


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    return [tokenizer.piece(id) for id in ids]


def test_bpe_merges_words(bpe: Tokenizer) -> None:
    assert pieces(bpe, bpe.encode("hello world")) == HELLO_WORLD
    assert bpe.encode("") == []


@pytest.mark.parametrize("text", ["hello\0world", "héé 🦙", "\u202eRTL", "a\u200db", "\x7f\x80"])
def test_text_survives_the_round_trip(bpe: Tokenizer, spm: Tokenizer, text: str) -> None:
    assert bpe.decode(bpe.encode(text)) == text
    assert spm.decode(spm.encode(text, bos=False)) == text


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff"])
def test_lone_surrogates_are_refused(bpe: Tokenizer, spm: Tokenizer, text: str) -> None:
    for tokenizer in (bpe, spm):
        with pytest.raises(ValueError, match=r"lone surrogate U\+D"):
            tokenizer.encode(text)


def test_control_tokens_are_text_unless_asked_for(bpe: Tokenizer) -> None:
    text = "hello<|eot|>hello"
    assert pieces(bpe, bpe.encode(text, special=True)) == ["hello", "<|eot|>", "hello"]
    plain = bpe.encode(text)
    assert "<|eot|>" not in pieces(bpe, plain)
    assert bpe.decode(plain) == text


def test_a_control_token_of_one_character_is_text(tmp_path: Path) -> None:
    types = bpe_metadata()["token_type"]
    types[bpe_metadata()["tokens"].index("x")] = CONTROL
    tokenizer = tiny_vocab.tokenizer(tmp_path / "x.gguf", bpe_metadata(token_type=types))
    assert tokenizer.special_tokens.split("axb", control=True) == ["axb"]


def test_of_two_tokens_of_one_text_the_first_is_taken(tmp_path: Path) -> None:
    for metadata in (bpe_metadata(), spm_metadata()):
        tokens: list[str] = metadata["tokens"]
        special, n = "<|eot|>" if metadata["model"] == "gpt2" else "<|im|>", len(tokens)
        metadata["tokens"] = [*tokens, "hello", special]
        metadata["token_type"] = np.append(metadata["token_type"], [NORMAL, CONTROL])
        metadata["token_type"] = metadata["token_type"].astype(np.int32)
        if "scores" in metadata:
            metadata["scores"] = np.append(metadata["scores"], [9, 9]).astype(np.float32)
        tokenizer = tiny_vocab.tokenizer(tmp_path / "two.gguf", metadata)
        ids = tokenizer.encode(f"hello{special}hello", special=True, bos=False)
        assert tokens.index(special) in ids
        assert not {n, n + 1} & set(ids)
        assert tokenizer.decode([n, n + 1], special=True) == f"hello{special}"


def test_user_defined_tokens_are_always_recognised(bpe: Tokenizer) -> None:
    for special in (False, True):
        assert pieces(bpe, bpe.encode("<think>hello", special=special)) == ["<think>", "hello"]


def test_the_longest_special_token_wins(bpe: Tokenizer) -> None:
    ids = bpe.encode("<|end|><think><|end|>", special=True)
    assert pieces(bpe, ids) == ["<|end|><think>", "<|end|>"]


def test_bos_and_eos(tmp_path: Path, bpe: Tokenizer) -> None:
    assert not bpe.add_bos
    hello = bpe.encode("hello")
    assert bpe.encode("hello", bos=True) == [bpe.bos_id, *hello]
    adds = bpe_metadata(add_bos_token=True, add_eos_token=True)
    other = tiny_vocab.tokenizer(tmp_path / "adds.gguf", adds)
    assert other.encode("hello") == [other.bos_id, *hello, other.eos_id]
    assert other.encode("hello", bos=False) == hello
    assert other.encode("", bos=True) == [other.bos_id]


def test_defaults_of_add_bos(tmp_path: Path, spm: Tokenizer) -> None:
    llama = tiny_vocab.tokenizer(tmp_path / "llama.gguf", bpe_metadata(pre="llama-bpe"))
    assert llama.add_bos
    assert spm.add_bos
    assert (spm.bos_id, spm.eos_id) == (1, 2)
    without = bpe_metadata(pre="llama-bpe", bos_token_id=None)
    assert not tiny_vocab.tokenizer(tmp_path / "without.gguf", without).add_bos


def test_bos_cannot_be_forced_without_one(tmp_path: Path) -> None:
    tokenizer = tiny_vocab.tokenizer(tmp_path / "no.gguf", bpe_metadata(bos_token_id=None))
    assert tokenizer.bos_id is None
    with pytest.raises(ValueError, match="no BOS token"):
        tokenizer.encode("hello", bos=True)


def test_ignore_merges_takes_whole_words(tmp_path: Path) -> None:
    tokens = [*bpe_metadata()["tokens"], "xyz"]
    types = np.append(bpe_metadata()["token_type"], NORMAL).astype(np.int32)
    for pre, expected in (("llama-bpe", ["xyz"]), ("qwen2", ["x", "y", "z"])):
        metadata = bpe_metadata(pre=pre, tokens=tokens, token_type=types)
        tokenizer = tiny_vocab.tokenizer(tmp_path / f"{pre}.gguf", metadata)
        assert pieces(tokenizer, tokenizer.encode("xyz", bos=False)) == expected


def test_qwen2_normalises_to_nfc(tmp_path: Path) -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    for pre, expected in (("qwen2", composed), ("gpt-2", decomposed)):
        tokenizer = tiny_vocab.tokenizer(tmp_path / f"{pre}.gguf", bpe_metadata(pre=pre))
        assert tokenizer.decode(tokenizer.encode(decomposed)) == expected


def test_spm_space_prefix(tmp_path: Path, spm: Tokenizer) -> None:
    assert pieces(spm, spm.encode("hello hello", bos=False)) == [" hello", " hello"]
    assert spm.decode(spm.encode("hello", bos=False)) == "hello"
    assert spm.decode(spm.encode("hello"), special=False) == "hello"
    after_special = spm.encode("hello<|im|>hello", special=True, bos=False)
    assert pieces(spm, after_special) == [" hello", "<|im|>", " hello"]
    without = tiny_vocab.tokenizer(tmp_path / "w.gguf", spm_metadata(add_space_prefix=False))
    ids = without.encode(" hello", bos=False)
    assert pieces(without, ids) == [" hello"]
    assert without.decode(ids) == " hello"


def test_spm_byte_fallback_and_scores(spm: Tokenizer) -> None:
    tokens = [spm.vocab.tokens[id] for id in spm.encode("é中", bos=False)]
    assert tokens == ["▁", "é", "<0xE4>", "<0xB8>", "<0xAD>"]
    # Not the byte token that it spells, but the characters.
    assert "<0x41>" not in [spm.vocab.tokens[id] for id in spm.encode("<0x41>")]


def test_spm_user_defined_spaces(spm: Tokenizer) -> None:
    assert "  " in pieces(spm, spm.encode("hello  hello", bos=False))


def test_spm_without_byte_tokens_uses_the_unknown_token(tmp_path: Path) -> None:
    tokens, scores = ["<unk>", "<s>", "</s>", "▁", "h"], np.zeros(5, np.float32)
    types = np.array([2, 3, 3, 1, 1], np.int32)
    metadata = spm_metadata(tokens=tokens, token_type=types, scores=scores)
    tokenizer = tiny_vocab.tokenizer(tmp_path / "unk.gguf", metadata)
    assert tokenizer.encode("hz", bos=False) == [3, 4, 0]


def test_decode_leaves_out_control_tokens(bpe: Tokenizer) -> None:
    ids = bpe.encode("hello<|eot|> world<think>", special=True)
    assert bpe.decode(ids) == "hello<|eot|> world<think>"
    assert bpe.decode(ids, special=False) == "hello world<think>"


def test_decode_refuses_ids_outside_the_vocabulary(bpe: Tokenizer) -> None:
    for id in (-1, bpe.n_vocab):
        with pytest.raises(ValueError, match=f"token id {id} "):
            bpe.decode([id])
    assert bpe.decode(np.array(bpe.encode("hello"))) == "hello"


def test_unused_tokens_are_no_text(bpe: Tokenizer) -> None:
    assert bpe.decode([bpe.vocab.ids["[UNUSED]"]]) == ""


def test_byte_tokens_of_a_bpe(tmp_path: Path) -> None:
    base = bpe_metadata()
    tokens = [*base["tokens"], "<0xC3>", "<0xZZ>"]
    types = np.append(base["token_type"], [BYTE, BYTE]).astype(np.int32)
    metadata = bpe_metadata(tokens=tokens, token_type=types)
    tokenizer = tiny_vocab.tokenizer(tmp_path / "bytes.gguf", metadata)
    n = len(tokens)
    assert tokenizer.decode([n - 2, tokenizer.vocab.ids["©"]]) == "é"
    assert tokenizer.decode([n - 1]) == "<0xZZ>"


def test_phi3_takes_the_space_after_a_special_token(tmp_path: Path) -> None:
    text = "<|im|> \n hello"
    for name, expected in (("Phi-3 mini", ["<|im|>", " hello"]), ("other", None)):
        file = tiny_vocab.write(tmp_path / "p.gguf", spm_metadata(), general__name=name)
        tokenizer = Tokenizer.from_gguf(file)
        found = pieces(tokenizer, tokenizer.encode(text, special=True, bos=False))
        assert (found == expected) == (expected is not None)


@pytest.mark.parametrize(
    ("added", "ends"),
    [
        (["<|im_end|>"], ["<|im_end|>"]),
        (["<|return|>", "<|call|>"], ["<|return|>", "<|call|>"]),
        (["<|eom_id|>", "</s>"], ["<|eom_id|>", "</s>"]),
        (["<|tool_response>", "</s>"], ["<|tool_response>"]),
        (["<file>", "<fim_pad>"], ["<fim_pad>"]),
    ],
)
def test_what_ends_a_generation(tmp_path: Path, added: list[str], ends: list[str]) -> None:
    base = bpe_metadata(eos_token_id=None)
    tokens = [*base["tokens"], *added]
    types = np.append(base["token_type"], [NORMAL] * len(added)).astype(np.int32)
    metadata = bpe_metadata(eos_token_id=None, tokens=tokens, token_type=types)
    tokenizer = tiny_vocab.tokenizer(tmp_path / "eog.gguf", metadata)
    found = {tokenizer.vocab.tokens[id] for id in tokenizer.eog_ids}
    # The base vocabulary has an <|end|>, which ends nothing beside <|return|> and <|call|>.
    assert found == {*ends, *([] if "<|call|>" in added else ["<|end|>"])}


def test_named_ends_of_generation(tmp_path: Path) -> None:
    ids = bpe_metadata()["tokens"].index("<|eot|>")
    tokenizer = tiny_vocab.tokenizer(tmp_path / "eot.gguf", bpe_metadata(eot_token_id=ids))
    assert tokenizer.eog_ids == {tokenizer.eos_id, ids}
    assert tokenizer.is_control(ids)


def test_what_ends_a_generation_is_control(tmp_path: Path) -> None:
    types = np.full(len(bpe_metadata()["tokens"]), NORMAL, np.int32)
    tokenizer = tiny_vocab.tokenizer(tmp_path / "normal.gguf", bpe_metadata(token_type=types))
    end = tokenizer.vocab.ids["<|end|>"]
    assert tokenizer.vocab.types[end] == CONTROL
    assert tokenizer.encode("<|end|>", special=True) == [end]
    assert end not in tokenizer.encode("<|end|>")


def test_long_runs_take_linear_time(bpe: Tokenizer, spm: Tokenizer) -> None:
    for text in ("x" + " " * 100_000, "a" * 100_000, "<|end|>" * 20_000):
        for tokenizer in (bpe, spm):
            ids = tokenizer.encode(text, bos=False)
            assert tokenizer.decode(ids) == text


def test_bytes_that_are_no_text_alone_are_shown_by_number(bpe: Tokenizer, spm: Tokenizer) -> None:
    shown = [f"<0x{byte:02X}>" for byte in "🦙".encode()]
    assert pieces(bpe, bpe.encode("🦙")) == shown
    assert pieces(spm, spm.encode("🦙", bos=False))[-4:] == shown
