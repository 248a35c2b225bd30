"""Llama 1 to 3, Mistral, Mixtral, Yi, SmolLM2, and those in models that see or hear."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from ..keys import Keys
from .base import Architecture, Tensors, permuted
from .rotary import llama3_frequencies
from .tensors import apply, rename, stack_experts

# Whose configuration classes fill in a head_dim that config.json leaves out
HEAD_DIM_COMPUTED = ("llama", "mistral")


class Llama(
    Architecture,
    arch="llama",
    classes=["LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", "MixtralForCausalLM"],
):
    defaults: ClassVar[dict[str, Any]] = {
        "rms_norm_eps": 1e-6, "max_position_embeddings": 2048, "rope_theta": 10000.0,
    }  # fmt: skip

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["attention.head_count_kv"] = self.n_kv_head
        k["vocab_size"] = self.h.integer("vocab_size")
        k["rope.dimension_count"] = self.head_dim
        if self.h.text("model_type", default="") in HEAD_DIM_COMPUTED:
            k["attention.key_length"] = k["attention.value_length"] = self.head_dim
        if self.window:
            k["ggjit.attention.sliding_window"] = self.window

    def change(self, tensors: Tensors) -> Tensors:
        if self.h.has("num_local_experts"):
            tensors = stack_experts(tensors, self.h.integer("num_local_experts"))
            tensors = rename(
                tensors, r"^model\.layers\.(\d+)\.block_sparse_moe\.experts\.",
                r"layers.\1.feed_forward.experts.",
            )  # fmt: skip
        tensors = apply(tensors, r"q_proj\.\w+$", partial(permuted, n_heads=self.n_head))
        return apply(tensors, r"k_proj\.\w+$", partial(permuted, n_heads=self.n_kv_head))

    def more_tensors(self) -> Tensors:
        return llama3_frequencies(self.rope, self.head_dim)

    @property
    def window(self) -> int:
        """How many tokens attention sees, 0 for all."""
        window = self.h.integer("sliding_window", default=0)
        return window if window < self.h.integer("max_position_embeddings") else 0

    def notes(self) -> list[str]:
        if not self.window:
            return []
        return [f"attention sees {self.window} tokens back; other engines let it see everything"]
