"""Texts that tokenizers stumble over, and random ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

NASTY = (
    "",
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\n\n",
    "\n\n\n",
    "\r\n",
    "\r",
    " \n",
    "\n ",
    " \n \t\n\n  x",
    "\t\t\tindented\n\t\t  mixed",
    "trailing spaces   ",
    "   leading spaces",
    "Hello, world!",
    "hello  world   again",
    "HELLO World hElLo WORLDly",
    "I'm sure we'll've they'd it's you're I'VE DON'T",
    "'s 't 're ''s '\u2019s don\u2019t",
    "1 12 123 1234 12345 123456 1234567",
    "3.14159 1,000,000 0x1F 1e-10 12:30 \u00bd \u2163 \u0663\u0664\u0665 \u4e09\u5341",
    "a1b2c3 4d5e6f v1.2.3 x86_64",
    "...!!!???,,,;;;:::---___===+++***///\\\\\\|||~~~```",
    "(a)[b]{c}<d>\"e\"'f'`g`",
    "if (x<y) { return a[i]++ && !b; } // comment\n",
    "def f(x):\n    return x ** 2\n\n\n    # done\n",
    "<html>\n\t<body class='a'>&amp;</body>\n</html>",
    "https://example.org/a/b?c=d&e=%20#f user@example.org",
    "na\u00efve caf\u00e9 \u00dcber stra\u00dfe \u0152uvre \u00c5ngstr\u00f6m",
    "cafe\u0301 n\u0303 a\u030a\u0323 \u1e9b\u0323 \u212b \ufb01 \u2126",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0393\u03b5\u03b9\u03ac "
    "\u03c3\u03bf\u03c5 \u03ba\u03cc\u03c3\u03bc\u03b5",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\u4e16\u754c "
    "\ud55c\uad6d\uc5b4 \u3042abc\u30a2123\u4e2d",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 "
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u1780\u17b6\u1793\u17cb\u178f\u17c2",
    "\U0001f999\U0001f468\u200d\U0001f469\u200d\U0001f467 "
    "\U0001f44d\U0001f3fd \U0001f1eb\U0001f1f7 \u2764\ufe0f",
    "\u00a0\u2003\u3000\u200b\u2028\u2029\u0085\ufeff\u180e",
    "\x00\x01\x1b[0m\x7f\x80\x9f",
    "\ufffd\ufffe\uffff\U0010ffff\ue000",
    "\u2581a \u2581\u2581 \u0120b \u010a <0x41> <0xFF>",
    "a" * 300,
    " " * 70 + "x" + "\n" * 35 + "y" + "\t" * 20,
    "=" * 100 + "-" * 64 + "#" * 7 + " " + "." * 33,
    "x" + "\u0301" * 40 + " \u0e33\u0e48" * 5,
    "The quick brown fox jumps over the lazy dog, then naps. " * 8,
    "<s></s><unk><pad><bos><eos>[INST][/INST]<|im_start|>user\n<|im_end|><think></think>",
)

# Where random characters come from: first, last; the first ones more often.
RANGES = (
    (0x20, 0x7E),
    (0x20, 0x20),
    (0x61, 0x7A),
    (0x30, 0x39),
    (0x09, 0x0D),
    (0xA0, 0x24F),
    (0x300, 0x36F),
    (0x370, 0x58F),
    (0x5D0, 0xE5B),
    (0x2000, 0x206F),
    (0x3000, 0x30FF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0x1F300, 0x1FAFF),
    (0x00, 0xD7FF),
    (0xE000, 0x10FFFF),
)


def random_texts(words: Sequence[str], n: int, seed: int = 1) -> Iterator[str]:
    """Yield texts of random characters and of `words`, a vocabulary's tokens."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield "".join(_piece(words, rng) for _ in range(rng.integers(1, 9)))


def _piece(words: Sequence[str], rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        word = words[int(rng.integers(len(words)))]
        return word.replace("\u0120", " ").replace("\u2581", " ").replace("\u010a", "\n")
    first, last = RANGES[int(len(RANGES) * rng.random() ** 2)]
    return "".join(map(chr, rng.integers(first, last + 1, rng.integers(1, 9))))
