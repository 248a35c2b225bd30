"""Unigram models against `sentencepiece` itself, WordPiece against what is known of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tiny_vocab import CONTROL, NORMAL, UNKNOWN, tokenizer

from ggjit.gguf import GGUFError
from ggjit_convert.vocab.sentencepiece_model import read_sentencepiece_model

SENTENCE = "the quick brown fox jumps over lazy dogs while naïve cafés close"
TEXTS = (
    *("", " ", "the fox", "  The   quick\tbrown fox. ", "ﬁne ①② ｆｕｌｌ", "cafe\u0301"),
    *("你好 the 🦙🦙 fox", "x\u200by\u3000z", "unknown"),
)


def trained(**options: Any) -> bytes:
    model = io.BytesIO()
    words = SENTENCE.split()
    sentences = [" ".join(words[i:] + words[:i]) for i in range(len(words))]
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences * 4),
        model_writer=model,
        model_type="unigram",
        **{"vocab_size": 70, "hard_vocab_limit": False, "minloglevel": 2} | options,
    )
    return model.getvalue()


def unigram(path: Path) -> dict[str, Any]:
    """Return a trained model as GGUF's keys."""
    model = read_sentencepiece_model(path)
    pieces = list(model.tokens.values())
    return {
        "model": "t5",
        "tokens": [piece.text for piece in pieces],
        "scores": np.array([piece.score for piece in pieces], np.float32),
        "token_type": np.array([piece.type for piece in pieces], np.int32),
        "add_space_prefix": model.add_dummy_prefix,
        "remove_extra_whitespaces": model.remove_extra_spaces,
        "precompiled_charsmap": np.frombuffer(model.charsmap, np.uint8),
        "unknown_token_id": 0,
        "eos_token_id": 2,
    }


OPTIONS = {
    "as it is": {},
    "no prefix": {"add_dummy_prefix": False},
    "spaces kept": {"remove_extra_whitespaces": False},
    "folded": {"normalization_rule_name": "nmt_nfkc_cf"},
    "nothing": {"normalization_rule_name": "identity"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_unigram(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.model"
    path.write_bytes(trained(**OPTIONS[name]))
    expected = SentencePieceProcessor(model_file=str(path))
    own = tokenizer(tmp_path / "m.gguf", unigram(path))
    for text in TEXTS:
        assert own.encode(text, bos=False) == expected.encode(text), repr(text)
    assert own.encode("the fox") == [*expected.encode("the fox"), 2]
    assert own.decode(own.encode("the fox", bos=False)) == "the fox"


def test_a_charsmap_must_be_bytes(tmp_path: Path) -> None:
    path, wide = tmp_path / "m.model", np.zeros(4, np.int32)
    path.write_bytes(trained())
    with pytest.raises(GGUFError, match="precompiled_charsmap: must be an array of bytes"):
        tokenizer(tmp_path / "m.gguf", unigram(path) | {"precompiled_charsmap": wide})


PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁hello", "▁wor", "ld", "s", "▁!", "▁你", "▁e"]
TYPES = [CONTROL, UNKNOWN, CONTROL, CONTROL] + [NORMAL] * 7
IDS = {"unknown_token_id": 1, "cls_token_id": 2, "seperator_token_id": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello worlds!", ["▁hello", "▁wor", "ld", "s", "▁!"]),
        ("你 word É\x00", ["▁你", "[UNK]", "▁e"]),
        ("ld", ["[UNK]"]),
        ("[SEP] hello", ["[SEP]", "▁hello"]),
        ("", []),
    ],
)
def test_wordpiece(tmp_path: Path, text: str, expected: list[str]) -> None:
    types = np.array(TYPES, np.int32)
    own = tokenizer(
        tmp_path / "m.gguf", {"model": "bert", "tokens": PIECES, "token_type": types, **IDS}
    )
    found = own.encode(text, special=True)
    assert [PIECES[id] for id in found] == ["[CLS]", *expected, "[SEP]"]


def test_wordpiece_keeps_case_where_the_file_says_so(tmp_path: Path) -> None:
    path, types = tmp_path / "m.gguf", np.array(TYPES, np.int32)
    metadata = {"model": "bert", "tokens": PIECES, "token_type": types, **IDS}
    own = tokenizer(path, metadata | {"normalizer.lowercase": False})
    assert own.encode("hello Hello", bos=False) == [4, 1]
    assert own.decode([4, 5, 6, 8]) == "hello world !"
