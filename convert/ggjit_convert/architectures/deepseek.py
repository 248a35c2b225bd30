"""DeepSeek: V1 with experts; V2, V3, R1 and Kimi-K2 with latent attention."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, ClassVar

from ..arrays import Array
from ..keys import Keys
from ..transforms import inner_part, reshaped, transposed
from .base import Architecture, Tensors, permuted
from .nested import text_tensors
from .tensors import apply, divide, drop, rename, stack_experts


class Deepseek(Architecture, arch="deepseek", classes=["DeepseekForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {"rms_norm_eps": 1e-6, "rope_theta": 10000.0}

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["rope.dimension_count"] = self.head_dim
        k["rope.scaling.type"] = "none"
        k["leading_dense_block_count"] = self.h.integer("first_k_dense_replace")
        k["vocab_size"] = self.h.integer("vocab_size")
        k["expert_feed_forward_length"] = self.h.integer("moe_intermediate_size")
        k["expert_weights_scale"] = 1.0
        k["expert_shared_count"] = self.h.integer("n_shared_experts")

    def change(self, tensors: Tensors) -> Tensors:
        tensors = stack_experts(tensors, self.h.integer("n_routed_experts"))
        tensors = apply(tensors, r"q_proj\.\w+$", partial(permuted, n_heads=self.n_head))
        return apply(tensors, r"k_proj\.\w+$", partial(permuted, n_heads=self.n_kv_head))


class Deepseek2(Architecture, arch="deepseek2", classes=["DeepseekV2ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {"rms_norm_eps": 1e-6, "rope_theta": 10000.0}

    def write_keys(self, k: Keys) -> None:
        h = self.h
        self.write_shared_keys(k)
        latent, n_rot = h.integer("kv_lora_rank", default=512), h.integer("qk_rope_head_dim")
        k["attention.head_count_kv"] = 1  # one latent vector for all heads
        k["leading_dense_block_count"] = self.n_dense
        k["vocab_size"] = h.integer("vocab_size")
        if h.has("q_lora_rank"):
            k["attention.q_lora_rank"] = h.integer("q_lora_rank")
        k["attention.kv_lora_rank"] = latent
        k["attention.key_length"] = latent + n_rot
        k["attention.value_length"] = latent
        k["attention.key_length_mla"] = h.integer("qk_nope_head_dim") + n_rot
        k["attention.value_length_mla"] = h.integer("v_head_dim")
        k["expert_feed_forward_length"] = h.integer("moe_intermediate_size", "intermediate_size")
        k["expert_shared_count"] = h.integer("n_shared_experts", default=0)
        if h.has("routed_scaling_factor"):
            k["expert_weights_scale"] = h.number("routed_scaling_factor")
        if h.flag("norm_topk_prob"):
            k["expert_weights_norm"] = True
        k["rope.dimension_count"] = n_rot
        if (scale := self.rope.number("mscale_all_dim", default=None)) is not None:
            k["rope.scaling.yarn_log_multiplier"] = 0.1 * scale

    @property
    def n_dense(self) -> int:
        """How many layers have no experts, before those that do."""
        kinds = self.h.items("mlp_layer_types", str, default=["sparse"])
        has_experts = self.h.has("n_routed_experts")
        otherwise = kinds.index("sparse") if has_experts and "sparse" in kinds else self.n_layers
        return self.h.integer("first_k_dense_replace", default=otherwise)

    def change(self, tensors: Tensors) -> Tensors:
        tensors = {n: a for n, a in tensors.items() if _layer(n) < self.n_layers}
        if self.h.flag("tie_word_embeddings"):
            tensors = drop(tensors, r"lm_head\.weight$")
        if self.h.has("n_routed_experts"):
            tensors = stack_experts(tensors, self.h.integer("n_routed_experts"))
        tensors = rename(tensors, "e_score_correction_bias$", "e_score_correction.bias")
        return divide(tensors, r"\.kv_b_proj\.weight$", self.keys_and_values)

    def notes(self) -> list[str]:
        names = text_tensors(dict(self.checkpoint.tensors))
        further = {n for n in map(_layer, names) if n >= self.n_layers}
        if not further:
            return []
        return [f"layers that predict further tokens are left out: {len(further)}"]

    def keys_and_values(self, a: Array) -> dict[str, Array]:
        """Part a matrix that has each head's keys above its values."""
        n_k, n_v = self.h.integer("qk_nope_head_dim"), self.h.integer("v_head_dim")
        heads = reshaped(a, self.h.integer("num_attention_heads"), n_k + n_v, a.shape[-1])
        return {
            ".k_b_proj.weight": transposed(inner_part(heads, slice(0, n_k))),
            ".v_b_proj.weight": inner_part(heads, slice(n_k, n_k + n_v)),
        }


class Deepseek3(Deepseek2, arch="deepseek2", classes=["DeepseekV3ForCausalLM"]):
    """The same with scores that are sigmoids, which transformers takes for granted."""

    defaults: ClassVar[dict[str, Any]] = Deepseek2.defaults | {
        "scoring_func": "sigmoid", "norm_topk_prob": True,
    }  # fmt: skip


def _layer(name: str) -> int:
    """Return the layer of a tensor, -1 for those of none."""
    found = re.match(r"model\.layers\.(\d+)\.", name)
    return int(found[1]) if found else -1
