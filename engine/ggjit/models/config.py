"""Hyperparameters from metadata, each checked against the range in which it makes sense."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..gguf import GGUFFile, printable, shown

REQUIRED = object()


class WrongValueError(ValueError):
    """A key whose value makes no sense."""

    def __init__(self, problem: str, path: object) -> None:
        super().__init__(f"{path}: {problem}")
        self.problem = problem


# Keys of an architecture that say nothing about its mathematics, or what tensors say as well.
HARMLESS = {
    "context_length", "vocab_size", "rope.scaling.finetuned", "tensor_data_layout",
    "rope.scaling.original_context_length", "interleave_moe_layer_step", "feed_forward_length",
    "expert_shared_feed_forward_length",
}  # fmt: skip


class Config:
    """A file's hyperparameters, by GGUF's key names without the architecture's prefix."""

    def __init__(self, file: GGUFFile, n_context: int | None = None) -> None:
        self.file = file
        self.arch = file.get("general.architecture", str)
        self._n_context = n_context
        self._read: set[str] = set()

    @property
    def n_context(self) -> int:
        """Tokens of the context in use; that of training if it is not known."""
        return self._n_context or self.n_context_trained

    def integer(
        self, name: str, default: object = REQUIRED, *, low: int = 1, high: int = 1 << 24
    ) -> int:
        """Return an integer. Raises: ValueError naming the key if missing or out of range."""
        value = self._get(name, int, default)
        if not low <= value <= high:
            raise self.wrong(name, value, f"between {low} and {high}")
        return value

    def number(
        self, name: str, default: object = REQUIRED, *, low: float | None = None, high: float = 1e12
    ) -> float:
        """Return a number above 0, or of at least `low`.

        Raises: ValueError naming the key if it is missing or out of range.
        """
        value = float(self._get(name, float, default))
        if not (value > 0 if low is None else low <= value) or not value <= high:
            raise self.wrong(name, value, "a positive number" if low is None else f"{low} or more")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value."""
        return bool(self._get(name, bool, default))

    def text(self, name: str, default: object = REQUIRED) -> str:
        """Return a text. Raises: ValueError naming the key if it is missing."""
        return str(self._get(name, str, default))

    def _get(self, name: str, kind: type, default: object) -> Any:
        self._read.add(name)
        key = f"{self.arch}.{name}"
        if default is REQUIRED:
            return self.file.get(key, kind)
        return self.file.get(key, kind, default)

    def wrong(self, name: str, value: object, wanted: str) -> WrongValueError:
        """Return the error for a key's value."""
        found = f"{self.arch}.{name} is {shown(value)}"
        return WrongValueError(f"{found}, expected {wanted}", self.file.path)

    def has(self, name: str) -> bool:
        """Tell whether the file has a key."""
        return f"{self.arch}.{name}" in self.file.metadata

    def is_list(self, name: str) -> bool:
        """Tell whether a key has a value for each layer."""
        return isinstance(self.file.metadata.get(f"{self.arch}.{name}"), np.ndarray)

    def per_layer(self, name: str) -> list[int]:
        """Return a value for each layer. Raises: ValueError if there are fewer."""
        self._read.add(name)
        values = self.file.metadata.get(f"{self.arch}.{name}")
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iub":
            raise self.wrong(name, values, "an integer for each layer")
        if len(values) < self.n_layer:
            raise self.wrong(name, values, f"as many as {self.n_layer} layers")
        return [int(value) for value in values[: self.n_layer]]

    def leave(self, *names: str) -> None:
        """Take keys as known, though nothing asks for them."""
        self._read.update(names)

    def expect_all_read(self) -> None:
        """Raise ValueError if there is a key nobody asked for: it may change the mathematics."""
        if not self.flag("attention.causal", True):
            raise self.wrong("attention.causal", False, "true: tokens see only those before them")
        for key, value in self.file.metadata.items():
            name = key.removeprefix(f"{self.arch}.")
            if name != key and name not in self._read | HARMLESS and np.any(value):
                found = f"{printable(key)} = {shown(value)}"
                raise ValueError(f"{self.file.path}: {found} is not understood here")

    # -- what most architectures share --------------------------------------------------------

    @property
    def n_layer(self) -> int:
        """Layers, without those that predict further tokens, which come last in a file."""
        n = self.n_block
        return n - self.integer("nextn_predict_layers", 0, low=0, high=n - 1)

    @property
    def n_block(self) -> int:
        """Layers in the file."""
        return self.integer("block_count", high=1024)

    def windows(self, period: int, default: int = 0) -> list[int | None]:
        """Return each layer's window, None where it sees everything: as every `period`th does.

        A file may have another period, or say it of each layer.
        """
        size = self.integer("attention.sliding_window", default, low=0) or None
        name = "attention.sliding_window_pattern"
        self._read.add(name)
        said = self.file.metadata.get(f"{self.arch}.{name}", period)
        if isinstance(said, np.ndarray) and said.shape[0] >= self.n_layer:
            return [size if has else None for has in said[: self.n_layer].tolist()]
        if not isinstance(said, int) or said < 0:
            raise self.wrong(name, said, f"a number, or as many truth values as {self.n_layer}")
        return [size if said == 0 or (i + 1) % said else None for i in range(self.n_layer)]

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
        name = "expert_feed_forward_length"
        return self.integer(name) if self.has(name) else self.n_ff

    @property
    def n_context_trained(self) -> int:
        return self.integer("context_length", high=1 << 30)

    @property
    def n_head(self) -> int:
        return self.integer("attention.head_count", high=1 << 16)

    @property
    def n_kv_head(self) -> int:
        """Key heads; they divide the heads. Of a list, those of layers that attend."""
        name = "attention.head_count_kv"
        if self.is_list(name):
            counts = set(self.per_layer(name)) - {0}
            if len(counts) != 1:
                raise self.wrong(name, sorted(counts), "one number for all layers that attend")
            n = counts.pop()
        else:
            n = self.integer(name, self.n_head, high=self.n_head)
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
        """Elements of a value head; a width of keys alone says nothing about it."""
        share = self.n_embd // self.n_head if self.n_embd % self.n_head == 0 else self.head_dim
        return self.integer("attention.value_length", share, high=1 << 16)

    @property
    def n_rot(self) -> int:
        """Elements of a head that turn."""
        n = self.integer("rope.dimension_count", self.head_dim, high=self.head_dim)
        if n % 2:
            raise self.wrong("rope.dimension_count", n, "an even number")
        return n

    @property
    def norm_eps(self) -> float:
        return self.number("attention.layer_norm_rms_epsilon", high=1)
