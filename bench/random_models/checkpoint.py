"""A checkpoint that is not there: tensors made as they are read, a vocabulary of bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ggjit.gguf import GGMLType
from ggjit_convert.keys import Keys
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.plan import Planned
from ggjit_convert.sources import Checkpoint

from .attention import Config
from .families import tensors_of

Floats = npt.NDArray[np.float32]
POOL = 4_194_301  # different values; a prime, so that rows do not repeat
NOWHERE = Path("random")  # no folder: nothing is found beside the tensors
LOGITS = 3.0  # their standard deviation, large enough for differences to show
# By the end of a name: what is made of normal numbers. States decay over some dozens of tokens.
LAWS: list[tuple[str, Callable[[Floats], Floats]]] = [
    (r"A_log$", lambda x: 1.5 + x / 2),
    (r"dt_bias$", lambda x: x - 4),
    (r"bias$|sinks$", lambda x: x / 8),
    (r"(norm|\bln_\w)\.weight$|\.D$", lambda x: 1 + x / 8),
]
EMBEDDING = re.compile(r"\.embed_tokens\.weight$")
LAST_NORM = re.compile(r"^model\.(embedding_)?norm\.weight$|\.ln_f\.weight$")


class Origin(FromCheckpoint):
    """A random checkpoint, as the converter takes it."""

    def __init__(self, name: str, config: Config) -> None:
        factors = partial(factor, config)
        arrays = {n: Random(n, shape, factors(n)) for n, shape in tensors_of(config).items()}
        super().__init__(Checkpoint(NOWHERE / name, config, arrays))
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def keys(self, plan: list[Planned] | None = None) -> Keys:
        keys = Keys(self.family.arch)
        self.family.write_keys(keys)
        # without the architecture: llama.cpp looks for tokens of Phi-3 in files of that name
        keys.general["general.name"] = "random weights"
        keys.general |= vocabulary(self.tensors["token_embd.weight"].shape[0])
        return keys


@dataclass(frozen=True, eq=False)
class Random:
    """An `Array` of normal numbers, those of a matrix divided so that activations keep their size.

    Its values depend on its name and shape only.
    """

    name: str
    shape: tuple[int, ...]
    factor: float = 1.0
    type: GGMLType = GGMLType.F32

    def rows(self, start: int, stop: int) -> Floats:
        n_row = math.prod(self.shape[1:])
        at = (crc32(self.name.encode()) + start * n_row) % POOL
        x = pool().take(np.arange(at, at + (stop - start) * n_row), mode="wrap")
        return self.law(x.reshape(stop - start, *self.shape[1:])).astype(np.float32, copy=False)

    def blocks(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        return self.rows(start, stop).view(np.uint8)

    def law(self, x: Floats) -> Floats:
        """Return values made of normal numbers."""
        found = next((law for pattern, law in LAWS if re.search(pattern, self.name)), None)
        values = found(x) if found else x / np.float32(self.shape[-1] ** 0.5)
        return values * np.float32(self.factor)


@cache
def pool() -> Floats:
    return np.random.default_rng(0).standard_normal(POOL, np.float32)


def factor(c: Config, name: str) -> float:
    """Return what values are multiplied by to make up for a model's own multipliers.

    Else the token before would be what follows, where the output matrix is the embedding.
    """
    n, kind = c.get("hidden_size", 1), c["model_type"]
    enlarged = c.get("embedding_multiplier", c.get("scale_emb", 1.0))
    if kind.startswith("gemma"):
        enlarged = n**0.5
    if EMBEDDING.search(name):
        return 1 / enlarged
    if not LAST_NORM.search(name):
        return 1.0
    divided = n / c["dim_model_base"] if "dim_model_base" in c else c.get("logits_scaling", 1.0)
    return LOGITS * divided * (enlarged if c.get("tie_word_embeddings") else 1.0)


def vocabulary(n: int) -> dict[str, Any]:
    """Return a byte-level vocabulary: one token a byte, one merge, an end token, unused ones."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    tokens = [chr(b) for b in printable] + [chr(256 + i) for i, _ in enumerate(others)]
    tokens += ["th", "<|end|>"]
    tokens += [f"<|unused_{i}|>" for i in range(n - len(tokens))]
    key = "tokenizer.ggml."
    return {
        key + "model": "gpt2", key + "pre": "gpt-2", key + "tokens": tokens,
        key + "token_type": [1] * 257 + [3] + [5] * (n - 258), key + "merges": ["t h"],
        key + "bos_token_id": 257, key + "eos_token_id": 257, key + "add_bos_token": False,
    }  # fmt: skip
