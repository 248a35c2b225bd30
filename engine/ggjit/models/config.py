"""Hyperparameters from metadata, each checked against the range in which it makes sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..gguf import GGUFFile
from ..graph import RopeSpec

REQUIRED = object()


class Config:
    """A file's hyperparameters, by GGUF's key names without the architecture's prefix."""

    def __init__(self, file: GGUFFile) -> None:
        self.file = file
        self.arch = file.get("general.architecture", str)

    def integer(
        self, name: str, default: object = REQUIRED, *, low: int = 1, high: int = 1 << 24
    ) -> int:
        """Return an integer. Raises: ValueError naming the key if missing or out of range."""
        value = self._get(name, int, default)
        if not low <= value <= high:
            raise self.wrong(name, value, f"between {low} and {high}")
        return value

    def number(self, name: str, default: object = REQUIRED, *, high: float = 1e12) -> float:
        """Return a number above 0. Raises: ValueError naming the key if missing or out of range."""
        value = float(self._get(name, float, default))
        if not 0 < value <= high:
            raise self.wrong(name, value, "a positive number")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value."""
        return bool(self._get(name, bool, default))

    def _get(self, name: str, kind: type, default: object) -> Any:
        key = f"{self.arch}.{name}"
        if default is REQUIRED:
            return self.file.get(key, kind)
        return self.file.get(key, kind, default)

    def wrong(self, name: str, value: object, wanted: str) -> ValueError:
        """Return the error for a key's value."""
        return ValueError(f"{self.file.path}: {self.arch}.{name} is {value!r}, expected {wanted}")

    def refuse(self, *names: str) -> None:
        """Raise ValueError if the file has a key that would change the mathematics."""
        for key in (f"{self.arch}.{name}" for name in names):
            if np.any(value := self.file.metadata.get(key, 0)):
                raise ValueError(f"{self.file.path}: {key} = {value!r} is not supported yet")

    # -- what most architectures share --------------------------------------------------------

    @property
    def n_layer(self) -> int:
        return self.integer("block_count", high=1024)

    @property
    def n_embd(self) -> int:
        return self.integer("embedding_length")

    @property
    def n_ff(self) -> int:
        return self.integer("feed_forward_length")

    @property
    def n_expert(self) -> int:
        """Experts of a layer; 0 if there are none."""
        return self.integer("expert_count", 0, low=0, high=1 << 16)

    @property
    def n_expert_used(self) -> int:
        """Experts that a token chooses."""
        return self.integer("expert_used_count", high=self.n_expert)

    @property
    def n_ff_expert(self) -> int:
        return self.integer("expert_feed_forward_length", self.n_ff)

    @property
    def n_context_trained(self) -> int:
        return self.integer("context_length", high=1 << 30)

    @property
    def n_head(self) -> int:
        return self.integer("attention.head_count", high=1 << 16)

    @property
    def n_kv_head(self) -> int:
        """Key heads; they divide the heads."""
        n = self.integer("attention.head_count_kv", self.n_head, high=self.n_head)
        if self.n_head % n:
            raise self.wrong("attention.head_count_kv", n, f"a divisor of {self.n_head} heads")
        return n

    @property
    def head_dim(self) -> int:
        """Elements of a query or key head."""
        named = self.integer("attention.key_length", 0, low=0, high=1 << 16)
        if not named and self.n_embd % self.n_head:
            raise self.wrong("embedding_length", self.n_embd, f"a multiple of {self.n_head} heads")
        return named or self.n_embd // self.n_head

    @property
    def value_dim(self) -> int:
        """Elements of a value head."""
        return self.integer("attention.value_length", self.head_dim, high=1 << 16)

    @property
    def norm_eps(self) -> float:
        return self.number("attention.layer_norm_rms_epsilon", high=1)

    def rope(
        self, *, interleaved: bool, factors: npt.NDArray[np.float32] | None = None
    ) -> RopeSpec:
        """Return the rotary embedding: base, linear scaling, and `factors` that divide frequencies.

        Raises: ValueError for a scaling type that is not known here.
        """
        n_rot = self.integer("rope.dimension_count", self.head_dim, high=self.head_dim)
        if n_rot % 2:
            raise self.wrong("rope.dimension_count", n_rot, "an even number")
        base = self.number("rope.freq_base", 10000.0)
        frequencies = base ** (-np.arange(0, n_rot, 2, dtype=np.float64) / n_rot)
        frequencies /= self._linear_scaling()
        if factors is not None:
            if factors.shape != frequencies.shape or not np.all(factors > 0):
                where = f"{self.file.path}: tensor 'rope_freqs.weight'"
                raise ValueError(f"{where} needs {n_rot // 2} positive values")
            frequencies /= factors.astype(np.float64)
        return RopeSpec(frequencies, interleaved)

    def _linear_scaling(self) -> float:
        kind = self.file.get(f"{self.arch}.rope.scaling.type", str, "linear")
        if kind not in ("none", "linear"):
            raise self.wrong("rope.scaling.type", kind, "'none' or 'linear'")
        old = self.file.get(f"{self.arch}.rope.scale_linear", float, 1.0)
        factor = self.number("rope.scaling.factor", old or 1.0)
        return 1.0 if kind == "none" else factor
