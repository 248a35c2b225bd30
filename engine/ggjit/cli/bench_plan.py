"""What `ggjit bench` measures: llama-bench's tests, and its way to write lists of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

RANGE = re.compile(r"(\d+)(?:-(\d+)(?:([+*])(\d+))?)?")
MOST = 10_000  # values of one option


@dataclass(frozen=True)
class BenchTest:
    """`n_prompt` tokens at once or `n_gen` one by one, after `n_depth` others.

    Each of `n_sequences` gets that many, side by side.
    """

    n_prompt: int
    n_gen: int
    n_depth: int
    n_sequences: int = 1

    @property
    def name(self) -> str:
        """llama-bench's name, pp512, tg128, tg128 @ d1024, or with sequences tg128 x8."""
        what = f"pp{self.n_prompt}" if self.n_prompt else f"tg{self.n_gen}"
        what += f" x{self.n_sequences}" if self.n_sequences > 1 else ""
        return f"{what} @ d{self.n_depth}" if self.n_depth else what

    @property
    def n_tokens(self) -> int:
        """How many tokens are timed, of all sequences."""
        return self.n_sequences * (self.n_prompt + self.n_gen)

    @property
    def n_context(self) -> int:
        """How many tokens the context of a sequence must hold."""
        return self.n_depth + self.n_prompt + self.n_gen


def numbers(texts: Iterable[str], name: str) -> list[int]:
    """Read lists `a,b` of numbers and ranges `first-last+step` or `first-last*factor`."""
    return [n for text in texts for part in text.split(",") for n in _range(part, name)]


def plan(
    n_prompt: list[int], n_gen: list[int], n_depth: list[int], n_sequences: list[int]
) -> list[BenchTest]:
    """Return the tests in llama-bench's order; 0 stands for no test."""
    tests = []
    for depth, n_together in product(n_depth, filter(None, n_sequences)):
        tests += [BenchTest(n, 0, depth, n_together) for n in n_prompt if n]
        tests += [BenchTest(0, n, depth, n_together) for n in n_gen if n]
    return tests


def _range(text: str, name: str) -> list[int]:
    match = RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{name} must be like 512, 128,256 or 64-512+64 or 1-8*2, not {text!r}")
    first, last = int(match[1]), int(match[2] or match[1])
    values = [first]
    while len(values) < MOST:
        step = int(match[4] or 1)
        after = values[-1] * step if match[3] == "*" else values[-1] + step
        if after > last:
            return values
        if after == values[-1]:
            break
        values.append(after)
    raise ValueError(f"{name}: the range {text} does not end")
