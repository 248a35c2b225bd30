"""Kimi Linear: Kimi delta attention between layers with latent attention that do not turn."""

from __future__ import annotations

from typing import Any, ClassVar

from ..keys import Keys
from ..transforms import reshaped
from .base import Tensors
from .deepseek import Deepseek2
from .recurrent import discretized
from .tensors import apply, divide, rename, stack_experts


class KimiLinear(
    Deepseek2, arch="kimi-linear", classes=["KimiLinearForCausalLM", "KimiLinearModel"]
):
    defaults: ClassVar[dict[str, Any]] = {"rms_norm_eps": 1e-5}

    def write_keys(self, k: Keys) -> None:
        h = self.h
        self.write_shared_keys(k)
        linear = h.below("linear_attn_config")
        attends = linear.items("full_attn_layers", int)  # counted from 1
        k["attention.head_count_kv"] = [int(i + 1 in attends) for i in range(self.n_layers)]
        k["vocab_size"] = h.integer("vocab_size")
        if h.has("model_max_length"):
            k["context_length"] = h.integer("model_max_length")
        k["ssm.conv_kernel"] = linear.integer("short_conv_kernel_size")
        k["kda.head_dim"] = linear.integer("head_dim")
        if h.has("q_lora_rank"):
            k["attention.q_lora_rank"] = h.integer("q_lora_rank")
        latent, n_rot = h.integer("kv_lora_rank"), h.integer("qk_rope_head_dim")
        k["attention.kv_lora_rank"] = latent
        k["rope.dimension_count"] = n_rot
        k["attention.key_length"] = latent + n_rot
        k["attention.key_length_mla"] = h.integer("qk_nope_head_dim") + n_rot
        k["attention.value_length_mla"] = h.integer("v_head_dim")
        k["expert_feed_forward_length"] = h.integer("moe_intermediate_size")
        k["expert_shared_count"] = h.integer("num_shared_experts")
        k["leading_dense_block_count"] = h.integer("first_k_dense_replace")
        k["expert_weights_scale"] = h.number("routed_scaling_factor")

    def change(self, tensors: Tensors) -> Tensors:
        n_experts = self.h.integer("num_experts", "num_local_experts")
        tensors = stack_experts(tensors, n_experts)
        for wide, name in (("w1", "gate"), ("w2", "down"), ("w3", "up")):
            tensors = rename(
                tensors, rf"^model\.layers\.(\d+)\.block_sparse_moe\.experts\.{wide}\.",
                rf"blk.\1.ffn_{name}_exps.",
            )  # fmt: skip
        tensors = rename(tensors, "e_score_correction_bias$", "e_score_correction.bias")
        tensors = apply(tensors, r"\.[qkv]_conv1d\.weight$",
                        lambda a: reshaped(a, 1, a.shape[0], 1, a.shape[-1]))  # fmt: skip
        return divide(discretized(tensors), r"\.kv_b_proj\.weight$", self.keys_and_values)
