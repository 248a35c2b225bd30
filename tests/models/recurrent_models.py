"""Tiny models with recurrent layers, as configurations of transformers."""

from __future__ import annotations

from typing import Any

WIDE = {"hidden_size": 21, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8}
NARROW = {"hidden_size": 20, "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 16}
# Three value heads to a key head; widths that fill no vector.
DELTA = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 6, "linear_key_head_dim": 6,
    "linear_value_head_dim": 5, "linear_conv_kernel_dim": 4, "num_hidden_layers": 4,
}  # fmt: skip
WIDE_DELTA = {
    "linear_num_key_heads": 3, "linear_num_value_heads": 3, "linear_key_head_dim": 9,
    "linear_value_head_dim": 35, "linear_conv_kernel_dim": 3, "num_hidden_layers": 4,
}  # fmt: skip
EXPERTS = {
    "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 6,
    "shared_expert_intermediate_size": 7,
}  # fmt: skip
KIMI = {
    "hidden_size": 20, "intermediate_size": 14, "num_attention_heads": 5,
    "num_key_value_heads": 5, "kv_lora_rank": 9, "q_lora_rank": None, "qk_nope_head_dim": 5,
    "qk_rope_head_dim": 6, "v_head_dim": 7, "num_shared_experts": 1, "moe_intermediate_size": 6,
    "first_k_dense_replace": 1, "pad_token_id": 0, "num_hidden_layers": 4,
}  # fmt: skip
MAMBA = {
    "hidden_size": 20, "num_attention_heads": 5, "num_key_value_heads": 1, "mamba_n_heads": 5,
    "mamba_d_head": 8, "mamba_expand": 2, "position_embedding_type": "nope",
    "attention_multiplier": 0.3, "embedding_multiplier": 3.0, "residual_multiplier": 0.7,
}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "lfm2_groups": {
        "model_type": "lfm2", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "num_hidden_layers": 3,
        "layer_types": ["conv", "full_attention", "conv"], "norm_eps": 1e-5,
        "block_auto_adjust_ff_dim": False,
    },
    "lfm2_long_taps": {
        "model_type": "lfm2", "hidden_size": 18, "intermediate_size": 30, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 3, "num_hidden_layers": 4,
        "layer_types": ["conv", "conv", "full_attention", "conv"], "norm_eps": 1e-5,
        "conv_L_cache": 5, "block_multiple_of": 7,
    },
    "qwen3next_2_of_5": {
        "model_type": "qwen3_next", "intermediate_size": 14, "vocab_size": 37,
    } | WIDE | DELTA | EXPERTS,
    "qwen3next_wide": {
        "model_type": "qwen3_next", "intermediate_size": 9, "vocab_size": 29,
        "layer_types": ["linear_attention", "full_attention"] * 2,
    } | NARROW | WIDE_DELTA | EXPERTS | {"num_experts": 3, "num_experts_per_tok": 1},
    "qwen35_groups": {
        "model_type": "qwen3_5_text", "intermediate_size": 14, "vocab_size": 37,
    } | WIDE | DELTA,
    "qwen35_wide": {
        "model_type": "qwen3_5_text", "intermediate_size": 9, "vocab_size": 29,
        "tie_word_embeddings": True,
    } | NARROW | WIDE_DELTA,
    "qwen35moe_2_of_5": {
        "seed": 7,
        "model_type": "qwen3_5_moe_text", "vocab_size": 37,
    } | WIDE | DELTA | EXPERTS,
    "qwen35moe_1_of_3": {
        "model_type": "qwen3_5_moe_text", "vocab_size": 29,
    } | NARROW | WIDE_DELTA | EXPERTS | {"num_experts": 3, "num_experts_per_tok": 1},
    "kimi_2_of_5": {
        "model_type": "kimi_linear", "vocab_size": 37, "num_experts": 5,
        "num_experts_per_token": 2, "routed_scaling_factor": 1.5,
        "linear_attn_config": {
            "full_attn_layers": [4], "kda_layers": [1, 2, 3], "head_dim": 6, "num_heads": 5,
            "short_conv_kernel_size": 4,
        },
    } | KIMI,
    "kimi_wide": {
        "model_type": "kimi_linear", "vocab_size": 29, "num_experts": 3,
        "num_experts_per_token": 1, "routed_scaling_factor": 2.0,
        "linear_attn_config": {
            "full_attn_layers": [2, 4], "kda_layers": [1, 3], "head_dim": 34, "num_heads": 5,
            "short_conv_kernel_size": 3,
        },
    } | KIMI,
    "granitehybrid_experts": {
        "model_type": "granitemoehybrid", "intermediate_size": 14, "shared_intermediate_size": 9,
        "vocab_size": 37, "num_local_experts": 5, "num_experts_per_tok": 2,
        "num_hidden_layers": 3, "layer_types": ["mamba", "attention", "mamba"],
        "mamba_d_state": 6, "mamba_n_groups": 1,
    } | MAMBA,
    # Granite 4 without Mamba layers: GGUF calls it granite.
    "granite_of_hybrids": {
        "model_type": "granitemoehybrid", "intermediate_size": 9, "shared_intermediate_size": 9,
        "vocab_size": 31, "num_local_experts": 0, "num_experts_per_tok": 0,
        "layer_types": ["attention", "attention"], "mamba_d_state": 6, "mamba_n_groups": 1,
    } | MAMBA | {"position_embedding_type": "rope"},
    "granitehybrid_dense": {
        "model_type": "granitemoehybrid", "intermediate_size": 11, "shared_intermediate_size": 11,
        "vocab_size": 29, "num_local_experts": 0, "num_experts_per_tok": 0,
        "num_hidden_layers": 4, "layer_types": ["mamba", "mamba", "attention", "mamba"],
        "mamba_d_state": 17, "mamba_n_groups": 1, "mamba_d_conv": 3,
    } | MAMBA,
}  # fmt: skip
