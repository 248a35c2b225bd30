"""A llama model made wider with zeros, so that its rows are whole blocks of 256 columns.

It computes the same. There are more channels, all zero, and more heads, whose queries, keys and
values are zero; norms divide by the root of a mean over more channels, which their weights undo.
"""

from __future__ import annotations

from math import lcm, sqrt
from typing import Any

import numpy as np

BLOCK = 256


class Widening:
    """What a model's metadata and tensors become."""

    def __init__(self, metadata: dict[str, Any]) -> None:
        self._prefix = metadata["general.architecture"]
        self.width = int(metadata[f"{self._prefix}.embedding_length"])
        n_heads = int(metadata[f"{self._prefix}.attention.head_count"])
        n_kv_heads = int(metadata[f"{self._prefix}.attention.head_count_kv"])
        head, group = self.width // n_heads, n_heads // n_kv_heads
        step = lcm(BLOCK, head * group)
        self.wide = -(-self.width // step) * step
        self._sizes = {self.width: self.wide, head * n_kv_heads: self.wide // group}
        epsilon = f"{self._prefix}.attention.layer_norm_rms_epsilon"
        self._metadata = {
            f"{self._prefix}.embedding_length": self.wide,
            f"{self._prefix}.attention.head_count": self.wide // head,
            f"{self._prefix}.attention.head_count_kv": self.wide // head // group,
            epsilon: metadata[epsilon] * self.width / self.wide,
        }

    def value(self, key: str, value: Any) -> Any:
        """Return an entry of the metadata."""
        return self._metadata.get(key, value)

    def tensor(self, name: str, values: Any) -> Any:
        """Return a tensor's values [columns] or [rows, columns]."""
        if name.endswith("norm.weight"):
            values = values * np.float32(sqrt(self.width / self.wide))
        padding = [(0, self._sizes.get(n, n) - n) for n in values.shape]
        return np.pad(values, padding)
