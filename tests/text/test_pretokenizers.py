"""Words that the recipes cut text into, for those that no stored encodings cover."""

from __future__ import annotations

import pytest
from tokenizers import Regex
from tokenizers.pre_tokenizers import Sequence, Split

from ggjit.text.pretokenizers import PRE_TOKENIZERS


def words(pre: str, text: str) -> list[str]:
    steps = [Split(Regex(pattern), "isolated") for pattern in PRE_TOKENIZERS[pre].patterns]
    return [word for word, _ in Sequence(steps).pre_tokenize_str(text)]


CASES = {
    "gpt-2": ("I'll pay 123 $!\n\n ok", ["I", "'ll", " pay", " 123", " $!", "\n\n", " ok"]),
    "smollm": ("a 123", ["a", " ", "1", "2", "3"]),
    "default": ("a+b 12345", ["a", "+", "b", " ", "123", "45"]),
    "llama-bpe": (
        "I'LL pay 12345 a\n\n b",
        ["I", "'LL", " pay", " ", "123", "45", " a", "\n\n", " b"],
    ),
    "qwen2": ("x=12 (y)", ["x", "=", "1", "2", " (", "y", ")"]),
    "qwen35": ("e\u0301x 1", ["e\u0301x", " ", "1"]),
    "deepseek-v3": ("v12345 中文x .NET", ["v", "123", "45", " ", "中文", "x", " .", "NET"]),
    "deepseek-llm": ("a 中\n12", ["a", " ", "中", "\n", "1", "2"]),
    "deepseek-coder": ("a b!\n12", ["a", " b", "!", "\n", "1", "2"]),
    "gpt-4o": ("HelloWorld don't 1234", ["Hello", "World", " don't", " ", "123", "4"]),
    "tekken": ("HelloWorld 12 a/\nb", ["Hello", "World", " ", "1", "2", " a", "/\n", "b"]),
    "bloom": ("Hi, you. (x)", ["Hi", ",", " you", ". (", "x", ")"]),
    "viking": ("Hi 12", ["Hi", " ", "1", "2"]),
    "falcon": ("a+b 12345", ["a", "+", "b", " ", "123", "45"]),
    "bailingmoe": ("I'm 12\n", ["I", "'m", " ", "1", "2", "\n"]),
    "kimi-k2": (
        "HelloWorld's 1234 中文x",
        ["Hello", "World's", " ", "123", "4", " ", "中文", "x"],
    ),
    "minicpm5": ("a 12345!", ["a", " ", "123", "45", "!"]),
    "tiny_aya": ("a 12345 Bc", ["a", " ", "12", "345", " Bc"]),
    "laguna": ("a b\n\n c", ["a", " b", "\n\n", " c"]),
    "youtu": ("Hi中文，ab 12", ["Hi", "中文", "，", "ab", " ", "1", "2"]),
    "spark2_5": ("a!\n\n1234", ["a", "!", "\n", "\n", "1", "2", "3", "4"]),
    "exaone-moe": ("it's a b1!\n", ["it", "'s", " a b", "1", "!\n"]),
    "jais-2": ("a" + " " * 8 + "b", ["a", " " * 4, " " * 2, " ", " b"]),
    "ufakzeka": ("I'm 12", ["I", "'m", " ", "1", "2"]),
    "seed-coder": ("x!\n\ny", ["x", "!", "\n\n", "y"]),
}


@pytest.mark.parametrize("pre", CASES)
def test_words(pre: str) -> None:
    text, expected = CASES[pre]
    assert words(pre, text) == expected


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_nothing_is_lost(pre: str) -> None:
    text = "It's 12345 ½ — naïve\r\n\n\tX_y.z(中文)　🦙 'S\u0301 \x00end  "
    assert "".join(words(pre, text)) == text
