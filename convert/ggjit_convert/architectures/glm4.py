"""GLM 4, and with experts 4.5 to 4.7; 4.7 Flash, which is a DeepSeek 3."""

from __future__ import annotations

from typing import Any, ClassVar

from ..keys import Keys
from .base import Architecture, Tensors
from .deepseek import Deepseek3
from .tensors import rename, stack_experts


class Glm4(Architecture, arch="glm4", classes=["Glm4ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {"rms_norm_eps": 1e-5, "rope_theta": 10000.0}

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        share = self.rope.number("partial_rotary_factor", default=0.5)
        k["rope.dimension_count"] = int(self.head_dim * share)


class Glm4Moe(Glm4, arch="glm4moe", classes=["Glm4MoeForCausalLM"]):
    @property
    def n_blocks(self) -> int:
        return self.n_layers + self.h.integer("num_nextn_predict_layers", default=0)

    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        h = self.h
        for key, name in (
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_count", "n_shared_experts"),
            ("leading_dense_block_count", "first_k_dense_replace"),
            ("nextn_predict_layers", "num_nextn_predict_layers"),
        ):
            if h.has(name):
                k[key] = h.integer(name)
        k["expert_gating_func"] = 2  # sigmoid
        if h.has("routed_scaling_factor"):
            k["expert_weights_scale"] = h.number("routed_scaling_factor")
        if h.has("norm_topk_prob"):
            k["expert_weights_norm"] = h.flag("norm_topk_prob")

    def change(self, tensors: Tensors) -> Tensors:
        tensors = stack_experts(tensors, self.h.integer("n_routed_experts"))
        return rename(tensors, "e_score_correction_bias$", "e_score_correction.bias")


class Glm4MoeLite(Deepseek3, arch="deepseek2", classes=["Glm4MoeLiteForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = Deepseek3.defaults | {"rms_norm_eps": 1e-5}
