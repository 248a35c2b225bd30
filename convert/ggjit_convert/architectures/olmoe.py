"""OLMoE."""

from __future__ import annotations

from ..keys import Keys
from .base import Architecture, Tensors
from .tensors import stack_experts


class Olmoe(Architecture, arch="olmoe", classes=["OlmoeForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["attention.layer_norm_rms_epsilon"] = self.h.number("rms_norm_eps", default=1e-5)

    def change(self, tensors: Tensors) -> Tensors:
        return stack_experts(tensors, self.h.integer("num_experts"))
