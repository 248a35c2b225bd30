"""Phi 3, 3.5 and 4."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..keys import Keys
from ..transforms import floats
from .base import Architecture, Tensors


class Phi3(Architecture, arch="phi3", classes=["Phi3ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {
        "rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "rope_theta": 10000.0,
        "original_max_position_embeddings": 4096,
    }  # fmt: skip

    @property
    def n_rot(self) -> int:
        share = self.rope.number("partial_rotary_factor", default=1.0)
        return int(share * self.n_embd) // self.n_head

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        for key in ("attention.key_length", "attention.value_length", "rope.scaling.type"):
            k.drop(key)
        k["attention.head_count_kv"] = self.n_kv_head
        k["rope.scaling.original_context_length"] = self.old_context
        k["rope.dimension_count"] = self.n_rot
        k["attention.sliding_window"] = self.h.integer("sliding_window", default=0)
        if self.rope.has("long_factor"):
            k["rope.scaling.attn_factor"] = self.magnitude()

    @property
    def old_context(self) -> int:
        return self.rope.integer("original_max_position_embeddings", low=2)

    def magnitude(self) -> float:
        """Return the factor on cos and sin (arXiv:2402.13753)."""
        scale = self.h.integer("max_position_embeddings") / self.old_context
        if scale <= 1:
            return 1.0
        if self.rope.text("rope_type", "type") == "yarn":
            return 0.1 * math.log(scale) + 1
        return math.sqrt(1 + math.log(scale) / math.log(self.old_context))

    def more_tensors(self) -> Tensors:
        return long_and_short(self, self.n_rot // 2)


def long_and_short(family: Architecture, n_pairs: int) -> Tensors:
    """Return LongRoPE's factors of frequencies, for long contexts and for short ones."""
    tensors: Tensors = {}
    if not family.rope.has("long_factor") and not family.rope.has("short_factor"):
        return tensors
    for kind in ("long", "short"):
        values = family.rope.items(f"{kind}_factor", float)
        if len(values) != n_pairs:
            raise family.h.error(f"{kind}_factor", f"has {len(values)} values, expected {n_pairs}")
        tensors[f"rope_factors_{kind}.weight"] = floats(f"{kind}_factor", values)
    return tensors
