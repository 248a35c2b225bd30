"""tokenizer.json of byte-level BPE: the keys that come of it, and that the engine encodes alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_tokenizers import LLAMA3, SPECIAL, byte_level, byte_level_bpe, edited, split, write
from tokenizers import AddedToken, normalizers, pre_tokenizers

from ggjit_convert.errors import CheckpointError
from ggjit_convert.keys import Typed
from ggjit_convert.vocab import vocabulary_of
from ggjit_convert.vocab.agreement import round_trip, tokenizer_of

KEY, OWN = "tokenizer.ggml.", "tokenizer.ggjit."
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
QWEN2 = LLAMA3.replace("{1,3}", "")
CONFIG = {"bos_token": "<|bos|>", "eos_token": {"content": "<|end|>"}, "pad_token": "absent"}

# name -> the steps, and the normalizer, that tokenizer.json files have
STRUCTURES = {
    "gpt-2": ([byte_level(use_regex=True)], None),
    "llama-bpe": ([split(LLAMA3), byte_level()], None),
    "qwen2": ([split(QWEN2), byte_level()], normalizers.NFC()),
    "smollm": ([pre_tokenizers.Digits(individual_digits=True), byte_level(use_regex=True)], None),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_pre_tokenizer_is_known_by_its_steps(tmp_path: Path, name: str) -> None:
    steps, normalizer = STRUCTURES[name]
    tokenizer = byte_level_bpe(*steps, normalizer=normalizer)
    write(tmp_path, tokenizer, tokenizer_config=CONFIG)
    if name == "llama-bpe":
        edited(tmp_path, model_ignore_merges=True)
    found = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "llama")
    assert found.metadata[KEY + "model"] == "gpt2"
    assert found.metadata[KEY + "pre"] == name
    assert not any(key.startswith(OWN) for key in found.metadata)
    assert not found.warnings
    engine = tokenizer_of(found.metadata, tmp_path)
    assert round_trip(tmp_path / "tokenizer.json", engine, 200).n_different == 0


@pytest.mark.parametrize(
    ("arch", "pre"),
    [("llama", "llama-bpe"), ("glm4", "glm4"), ("smollm3", "smaug-bpe"), ("granite", "dbrx")],
)
def test_a_family_has_names_of_its_own(tmp_path: Path, arch: str, pre: str) -> None:
    tokenizer = byte_level_bpe(split(LLAMA3), byte_level())
    edited(write(tmp_path, tokenizer), model_ignore_merges=True)
    metadata = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), arch).metadata
    assert metadata[KEY + "pre"] == pre
    assert (OWN + "pre_tokenizer" in metadata) is (pre in ("smaug-bpe", "dbrx"))


def test_tokens_types_merges_and_padding(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    n = tokenizer.get_vocab_size()
    metadata = vocabulary_of(write(tmp_path, tokenizer), n + 2, "gpt2").metadata
    tokens, types = metadata[KEY + "tokens"], metadata[KEY + "token_type"]
    assert len(tokens) == len(types) == n + 2
    assert tokens[-2:] == [f"[PAD{n}]", f"[PAD{n + 1}]"]
    assert types[-2:] == [UNUSED, UNUSED]
    by_text = dict(zip(tokens, types, strict=True))
    assert [by_text[text] for text in (*SPECIAL, "<think>")] == [CONTROL, CONTROL, USER_DEFINED]
    assert {tokens[id]: id for id in range(n)} == tokenizer.get_vocab()
    assert all(len(line.split(" ")) == 2 for line in metadata[KEY + "merges"])
    assert set(types[:n]) == {NORMAL, CONTROL, USER_DEFINED}


def test_tokens_without_a_row_are_left_out_with_a_warning(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    found = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size() - 1, "gpt2")
    assert len(found.metadata[KEY + "tokens"]) == tokenizer.get_vocab_size() - 1
    assert "1 tokens have no row" in found.warnings[0]
    assert "<think>" in found.warnings[0]


UNKNOWN = {
    "unknown expression": ([split(r"\w+|\W"), byte_level()], None),
    "other normalizer": ([split(QWEN2), byte_level()], normalizers.NFKC()),
    "other step": ([pre_tokenizers.Punctuation("merged_with_next"), byte_level()], None),
    "prefix": ([pre_tokenizers.ByteLevel(add_prefix_space=True)], None),
    "gaps removed": ([split(r"\p{L}+", "removed", True), byte_level()], None),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_rules_without_a_name_are_kept_and_followed(tmp_path: Path, name: str) -> None:
    steps, normalizer = UNKNOWN[name]
    tokenizer = byte_level_bpe(*steps, normalizer=normalizer)
    found = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size(), "llama")
    assert found.metadata[KEY + "pre"] == "default"
    assert "no name in llama.cpp" in found.warnings[0]
    engine = tokenizer_of(found.metadata, tmp_path)
    assert round_trip(tmp_path / "tokenizer.json", engine, 200).n_different == 0


def test_a_known_name_with_a_difference_has_the_rules_beside_it(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(split(LLAMA3), byte_level(), normalizer=normalizers.NFC())
    found = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size(), "llama")
    assert found.metadata[KEY + "pre"] == "dbrx"
    assert '"NFC"' in found.metadata[OWN + "normalizer"]
    engine = tokenizer_of(found.metadata, tmp_path)
    assert engine.encode("e\u0301") == engine.encode("\u00e9")
    assert round_trip(tmp_path / "tokenizer.json", engine, 200).n_different == 0


def test_a_round_trip_says_where_it_differs(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(split(LLAMA3), byte_level())
    metadata = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size(), "x").metadata
    engine = tokenizer_of({**metadata, KEY + "merges": metadata[KEY + "merges"][:-9]}, tmp_path)
    report = round_trip(tmp_path / "tokenizer.json", engine, 100)
    assert 0 < report.n_different < report.n_texts == 146
    assert len(report.differences) == 5
    assert f"{report.n_different} of 146 texts are encoded differently" in str(report)
    assert "expected" in str(report.differences[0])


def test_tokens_that_take_spaces_along(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    tokenizer.add_tokens([AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True)])
    tokenizer.add_special_tokens([AddedToken("<both>", lstrip=True, rstrip=True)])
    n = tokenizer.get_vocab_size()
    metadata = vocabulary_of(write(tmp_path, tokenizer), n, "gpt2").metadata
    assert metadata[OWN + "strips_left"] == [n - 3, n - 1]
    assert metadata[OWN + "strips_right"] == [n - 2, n - 1]
    engine = tokenizer_of(metadata, tmp_path)
    for text in (
        "a <left> b <right>\n\u3000c <both> <both>\n<left> ",
        " <both> ",
        "<right> <left>",
    ):
        expected = tokenizer.encode(text, add_special_tokens=False).ids
        assert engine.encode(text, special=True, bos=False) == expected, text
    assert round_trip(tmp_path / "tokenizer.json", engine, 300).n_different == 0


def test_special_ids(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    n, config = tokenizer.get_vocab_size(), {"eos_token_id": 5, "pad_token_id": 7, "text": 1}
    write(tmp_path, tokenizer, tokenizer_config=CONFIG, config=config)
    metadata = vocabulary_of(tmp_path, n, "gpt2").metadata
    ids = {key: id for key, id in metadata.items() if key.endswith("_token_id")}
    assert ids == {
        KEY + "bos_token_id": tokenizer.token_to_id("<|bos|>"),
        KEY + "eos_token_id": tokenizer.token_to_id("<|end|>"),
        KEY + "padding_token_id": 7,
    }


def test_generation_settings(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    n = tokenizer.get_vocab_size()
    generation = {"temperature": 1, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.05}
    generation |= {"eos_token_id": [n - 1, 7, n], "min_p": "low", "do_sample": True}
    write(tmp_path, tokenizer, generation_config=generation, config={"eos_token_id": [7, 9]})
    metadata = vocabulary_of(tmp_path, n, "gpt2").metadata
    found = {key[17:]: value for key, value in metadata.items() if "sampling" in key}
    expected = {"temp": 1.0, "top_p": 0.8, "penalty_repeat": 1.05, "top_k": Typed(20, "i32")}
    assert found == expected
    assert metadata[KEY + "eos_token_id"] == n - 1
    assert metadata[OWN + "eog_token_ids"] == [n - 1, 7, 9]
    assert {7, 9, n - 1} <= tokenizer_of(metadata, tmp_path).eog_ids


def special(text: str) -> dict:
    return {"SpecialToken": {"id": text, "type_id": 0}}


SEQUENCES = [{"Sequence": {"id": id, "type_id": 0}} for id in "AB"]
BYTES = {"type": "ByteLevel"}
ADDS = {
    "bytes": (BYTES, {}, (False, False, None)),
    "bytes win over the config": (BYTES, {"add_bos_token": True}, (False, False, None)),
    "config alone": (None, {"add_bos_token": True}, (True, None, None)),
    "nothing said": (None, {}, (False, None, None)),
    "bos before": (
        {"single": [special("<|bos|>"), SEQUENCES[0]], "pair": []},
        {},
        (True, None, None),
    ),
    "bytes, then bos before each": (
        [
            BYTES,
            {
                "single": [special("<|bos|>"), SEQUENCES[0]],
                "pair": [special("<|bos|>"), SEQUENCES[0], special("<|bos|>"), SEQUENCES[1]],
            },
        ],
        {},
        (True, False, False),
    ),
    "eos between and behind": (
        {
            "single": [SEQUENCES[0], special("<|end|>")],
            "pair": [SEQUENCES[0], special("<|end|>"), SEQUENCES[1], special("<|end|>")],
        },
        {"eos_token": "<|end|>"},
        (False, True, False),
    ),
}


@pytest.mark.parametrize("name", ADDS)
def test_what_is_added_around_a_text(tmp_path: Path, name: str) -> None:
    rule, config, expected = ADDS[name]
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    write(tmp_path, tokenizer, tokenizer_config={"bos_token": "<|bos|>", **config})
    template = {"type": "TemplateProcessing"}
    if isinstance(rule, list):
        rule = {"type": "Sequence", "processors": [template | step for step in rule]}
    edited(tmp_path, post_processor=rule if rule is None else template | rule)
    metadata = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "gpt2").metadata
    found = tuple(metadata.get(f"{KEY}add_{name}_token") for name in ("bos", "eos", "sep"))
    assert found == expected


TEMPLATES = [{"name": "default", "template": "D"}, {"name": "tool-use", "template": "T"}]


def test_chat_templates(tmp_path: Path) -> None:
    def found(**config: object) -> dict:
        write(tmp_path, tokenizer, tokenizer_config=config)
        metadata = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "gpt2").metadata
        start = len("tokenizer.")
        return {key[start:]: value for key, value in metadata.items() if "chat_template" in key}

    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    assert found() == {}
    assert found(chat_template="A") == {"chat_template": "A"}
    assert found(chat_template=TEMPLATES) == {
        "chat_template": "D",
        "chat_template.tool_use": "T",
        "chat_templates": ["tool_use"],
    }
    (tmp_path / "chat_template.json").write_text('{"chat_template": "J"}')
    assert found() == {"chat_template": "J"}
    (tmp_path / "chat_template.jinja").write_bytes("Ünï\r\n".encode())
    assert found() == {"chat_template": "Ünï\n"}
    assert found(chat_template="A") == {"chat_template": "Ünï\n"}
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("R")
    assert found() == {
        "chat_template": "Ünï\n",
        "chat_template.rag": "R",
        "chat_templates": ["rag"],
    }


BAD = {
    "model": ({"model_type": "WordPiece"}, "model.type: 'WordPiece' is not supported"),
    "ids": ({"model_vocab": {"a": "b"}}, "model.vocab: the id of 'a' must be a number"),
    "huge id": ({"model_vocab": {"a": 1 << 40}}, "model.vocab: the id of 'a'"),
    "same id": ({"model_vocab": {"a": 1, "b": 1}}, "'a' and 'b' have the same id 1"),
    "merges": ({"model_merges": 5}, "model.merges: must be a list"),
    "merge": ({"model_merges": ["ab"]}, r"model.merges\[0\]: must be two tokens"),
    "number": ({"model_merges": ["a b", 5]}, r"model.merges\[1\]: must be two tokens"),
    "added": ({"added_tokens": [{"id": 5}]}, r"added_tokens\[0\]: must be an object with"),
    "rule": ({"pre_tokenizer": []}, "pre_tokenizer: must be an object"),
    "surrogate": ({"model_vocab": {"a\ud800": 1}}, "tokens: token 1 is not Unicode"),
    "suffix": ({"model_end_of_word_suffix": "</w>"}, "model.end_of_word_suffix: '</w>' is not"),
}


def test_two_tokens_of_one_text(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    n = tokenizer.get_vocab_size()
    edited(write(tmp_path, tokenizer), added_tokens=[{"id": n, "content": "!"}])
    found = vocabulary_of(tmp_path, n + 1, "gpt2")
    tokens, first = found.metadata[KEY + "tokens"], tokenizer.token_to_id("!")
    assert tokens[first] == tokens[n] == "!"
    assert f"tokens {first} and {n} have the same text, '!'" in found.warnings[-1]


def test_rules_nested_deeply(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    rule = json.loads(tokenizer.to_str())["pre_tokenizer"]
    for _ in range(300):
        rule = {"type": "Sequence", "pretokenizers": [rule]}
    edited(write(tmp_path, tokenizer), pre_tokenizer=rule)
    found = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "gpt2")
    assert found.metadata[KEY + "pre"] == "gpt-2"


ODD_RULES = {
    "normalizer": {"type": {"a": 1}},
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a"}, "behavior": [1]},
    "post_processor": {"type": "TemplateProcessing", "single": 5, "pair": {"a": 1}},
}


@pytest.mark.parametrize("name", ODD_RULES)
def test_rules_of_an_odd_shape_are_no_reason_to_stop(tmp_path: Path, name: str) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    edited(write(tmp_path, tokenizer), **{name: ODD_RULES[name]})
    if name == "pre_tokenizer":  # nothing says that the tokens are bytes
        edited(tmp_path, normalizer={"type": "ByteLevel"})
    metadata = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "gpt2").metadata
    assert metadata[KEY + "pre"] == ("gpt-2" if name == "post_processor" else "default")


def test_a_template_must_be_unicode(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    write(tmp_path, tokenizer, tokenizer_config={"chat_template": "\ud800"})
    with pytest.raises(CheckpointError, match="chat_template: is not Unicode"):
        vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "gpt2")


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    changes, problem = BAD[name]
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    edited(write(tmp_path, tokenizer), **changes)
    with pytest.raises(CheckpointError, match=problem):
        vocabulary_of(tmp_path, 300, "gpt2")
