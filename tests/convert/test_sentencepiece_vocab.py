"""tokenizer.model, and tokenizer.json of its kind: keys, and that the engine encodes alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor
from small_tokenizers import character_bpe, edited, sentencepiece_bpe, write
from tokenizers import normalizers, pre_tokenizers

from ggjit_convert.errors import CheckpointError
from ggjit_convert.vocab import vocabulary_of
from ggjit_convert.vocab.agreement import round_trip, tokenizer_of

KEY, OWN = "tokenizer.ggml.", "tokenizer.ggjit."
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)


@pytest.fixture
def model(tmp_path: Path) -> SentencePieceProcessor:
    options = {"user_defined_symbols": ["[X]", "▁▁"], "normalization_rule_name": "identity"}
    sentencepiece_bpe(tmp_path / "tokenizer.model", remove_extra_whitespaces=False, **options)
    return SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))


def test_pieces_scores_and_types(tmp_path: Path, model: SentencePieceProcessor) -> None:
    n = model.vocab_size()
    found = vocabulary_of(tmp_path, n + 2, "llama")
    tokens, types = found.metadata[KEY + "tokens"], found.metadata[KEY + "token_type"]
    assert found.metadata[KEY + "model"] == "llama"
    assert found.metadata[KEY + "pre"] == "default"
    assert not found.warnings
    names = {"▁▁": "  "}
    pieces = [model.id_to_piece(id) for id in range(n)]
    assert tokens == [*(names.get(piece, piece) for piece in pieces), f"[PAD{n}]", f"[PAD{n + 1}]"]
    scores = [model.get_score(id) for id in range(n)]
    assert found.metadata[KEY + "scores"] == [*scores, -10000.0, -10000.0]
    assert types[:5] == [UNKNOWN, CONTROL, CONTROL, USER_DEFINED, USER_DEFINED]
    assert types.count(BYTE) == 256
    assert types[-2:] == [UNUSED, UNUSED]


def test_it_encodes_as_sentencepiece_does(tmp_path: Path, model: SentencePieceProcessor) -> None:
    metadata = vocabulary_of(tmp_path, model.vocab_size(), "llama").metadata
    types = metadata[KEY + "token_type"]
    # SentencePiece puts the space before text only, llama.cpp after each user-defined token, too.
    metadata[KEY + "token_type"] = [CONTROL if t == USER_DEFINED else t for t in types]
    engine = tokenizer_of(metadata, tmp_path)
    for text in ("", "the fox", "naïve dog\n12", "é你好🦙"):
        assert engine.encode(text, bos=False) == model.encode(text)


def test_no_space_before_text(tmp_path: Path) -> None:
    sentencepiece_bpe(tmp_path / "tokenizer.model", add_dummy_prefix=False)
    found = vocabulary_of(tmp_path, 330, "llama")
    assert found.metadata[KEY + "add_space_prefix"] is False
    assert "normalises text" in found.warnings[0]  # NFKC is the library's default


def test_added_tokens(tmp_path: Path, model: SentencePieceProcessor) -> None:
    n = model.vocab_size()
    decoder = {
        "1": {"content": "<s>", "special": True},
        str(n + 1): {"content": "<|im▁start|>", "special": False},
        str(n + 2): {"content": "a▁b", "special": False},
        str(n + 9): {"content": "beyond", "special": True},
    }
    (tmp_path / "added_tokens.json").write_text(json.dumps({"early": n, "replaced": n + 1}))
    config = {"added_tokens_decoder": decoder, "bos_token": "<s>", "eos_token": "early"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    found = vocabulary_of(tmp_path, n + 4, "llama").metadata
    assert found[KEY + "tokens"][n:] == ["early", "<|im▁start|>", "a b", f"[PAD{n + 3}]"]
    assert found[KEY + "token_type"][n:] == [USER_DEFINED, CONTROL, USER_DEFINED, UNUSED]
    assert found[KEY + "scores"][n:] == [-1000.0, -1000.0, -1000.0, -10000.0]
    assert found[KEY + "scores"][1] == -1000.0
    assert found[KEY + "bos_token_id"] == 1
    assert found[KEY + "eos_token_id"] == n


PREPEND = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
SPACES = {
    "always": (normalizers.Sequence(PREPEND), None, True),
    "never": (normalizers.Replace(" ", "▁"), None, False),
    "gemma": (
        normalizers.Replace(" ", "▁"),
        pre_tokenizers.Split(" ", "merged_with_previous"),
        False,
    ),
    "metaspace": (None, pre_tokenizers.Metaspace(prepend_scheme="always", split=False), True),
    "first": (None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), True),
}


@pytest.mark.parametrize("name", SPACES)
def test_character_bpe_without_a_model_file(tmp_path: Path, name: str) -> None:
    normalizer, pre_tokenizer, prefix = SPACES[name]
    tokenizer = character_bpe(normalizer, pre_tokenizer)
    found = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size(), "llama")
    assert not found.warnings
    assert found.metadata[KEY + "model"] == "llama"
    assert found.metadata[KEY + "add_space_prefix"] is prefix
    expected = {"metaspace": "missing", "first": "first-missing"}.get(name)
    assert found.metadata.get(OWN + "space_prefix") == expected
    engine = tokenizer_of(found.metadata, tmp_path)
    for text in (
        "hello the fox",
        "<think>the  fox<think>",
        "a<think> fox",
        "n\u00efve\n\u4f60\U0001f999",
    ):
        expected = tokenizer.encode(text, add_special_tokens=False).ids
        assert engine.encode(text, special=True, bos=False) == expected, text
    assert round_trip(tmp_path / "tokenizer.json", engine, 200).n_different <= 2


def test_rules_count_more_than_the_config(tmp_path: Path) -> None:
    tokenizer = character_bpe(normalizers.Replace(" ", "▁"))
    write(tmp_path, tokenizer, tokenizer_config={"add_prefix_space": True})
    metadata = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "llama").metadata
    assert metadata[KEY + "add_space_prefix"] is False


def test_the_first_merge_of_a_piece_gives_its_score(tmp_path: Path) -> None:
    tokenizer = character_bpe(normalizers.Replace(" ", "▁"))
    metadata = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size(), "x").metadata
    tokens, scores = metadata[KEY + "tokens"], metadata[KEY + "scores"]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    score = dict(zip(tokens, scores, strict=True))
    assert [score["".join(pair)] for pair in merges[:5]] == [0, -1, -2, -3, -4]
    assert score["a"] < -len(merges)


def test_rules_that_sentencepiece_lacks_are_kept_and_followed(tmp_path: Path) -> None:
    rules = normalizers.Sequence([normalizers.Lowercase(), *PREPEND])
    tokenizer = character_bpe(rules, pre_tokenizers.Digits(individual_digits=True))
    found = vocabulary_of(write(tmp_path, tokenizer), tokenizer.get_vocab_size(), "llama")
    assert "SentencePiece does not know" in found.warnings[0]
    engine = tokenizer_of(found.metadata, tmp_path)
    assert round_trip(tmp_path / "tokenizer.json", engine, 200).n_different == 0


@pytest.mark.parametrize(
    ("arch", "ids"),
    [("gemma", {"prefix": 67, "suffix": 69, "middle": 68, "eot": 107}), ("gemma2", {})],
)
def test_gemma(tmp_path: Path, model: SentencePieceProcessor, arch: str, ids: dict) -> None:
    metadata = vocabulary_of(tmp_path, model.vocab_size(), arch).metadata
    assert metadata[KEY + "add_space_prefix"] is False
    named = {key: id for key, id in metadata.items() if key.endswith("_token_id")}
    assert named == {f"{KEY}{name}_token_id": id for name, id in ids.items()}


BAD = {
    "nothing": b"",
    "text": b"not a model",
    "cut": b"\x0a\x40abc",
    "no pieces": b"\x12\x02\x18\x02",
    "not a message": b"\x08\x05",
    "not UTF-8": b"\x0a\x03\x0a\x01\xff",
    "type": b"\x0a\x05\x0a\x01a\x18\x09",
    "infinite score": b"\x0a\x08\x0a\x01a\x15\x00\x00\x80\x7f",
    "endless number": b"\xff" * 12,
    "unigram": b"\x0a\x03\x0a\x01a\x12\x02\x18\x01",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_models(tmp_path: Path, name: str) -> None:
    (tmp_path / "tokenizer.model").write_bytes(BAD[name])
    with pytest.raises(CheckpointError, match=r"tokenizer\.model: (is not|the file is empty)"):
        vocabulary_of(tmp_path, 5, "llama")


def test_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no tokenizer in it, none of"):
        vocabulary_of(tmp_path, 5, "llama")


def test_glm_names_what_its_files_do_not(tmp_path: Path) -> None:
    tokenizer = character_bpe(normalizers.Replace(" ", "▁"))
    tokenizer.add_special_tokens(["[gMASK]", "<|user|>", "<|observation|>", "<|endoftext|>"])
    write(tmp_path, tokenizer, tokenizer_config={"eos_token": "<|endoftext|>"})
    edited(tmp_path)
    metadata = vocabulary_of(tmp_path, tokenizer.get_vocab_size(), "glm4moe").metadata
    texts = {"bos": "[gMASK]", "eot": "<|user|>", "eom": "<|observation|>"}
    texts |= {"eos": "<|endoftext|>", "unknown": "<|endoftext|>"}
    named = {key: id for key, id in metadata.items() if key.endswith("_token_id")}
    expected = {f"{KEY}{name}_token_id": tokenizer.token_to_id(t) for name, t in texts.items()}
    assert named == expected
