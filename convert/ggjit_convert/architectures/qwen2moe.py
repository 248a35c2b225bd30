"""Qwen 1.5 and 2 with experts."""

from __future__ import annotations

from ..keys import Keys
from .base import Tensors
from .qwen2 import Qwen2
from .tensors import stack_experts


class Qwen2Moe(Qwen2, arch="qwen2moe", classes=["Qwen2MoeForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        for key, name in (
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
        ):
            if self.h.has(name):
                k[key] = self.h.integer(name)

    def change(self, tensors: Tensors) -> Tensors:
        return stack_experts(tensors, self.h.integer("num_local_experts", "num_experts"))
