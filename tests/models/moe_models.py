"""Tiny models with experts, as configurations of transformers."""

from __future__ import annotations

from typing import Any

ROPE = {"rope_type": "default", "rope_theta": 10000.0}

MODELS: dict[str, dict[str, Any]] = {
    # Five experts, two of them chosen; three query heads to a key head.
    "mixtral_2_of_5": {
        "seed": 100, "model_type": "mixtral", "hidden_size": 18, "intermediate_size": 11,
        "vocab_size": 37,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4,
        "num_local_experts": 5, "num_experts_per_tok": 2,
    },
    # A single expert a token: its weight is always 1.
    "mixtral_1_of_3": {
        "seed": 101, "model_type": "mixtral", "hidden_size": 20, "intermediate_size": 17,
        "vocab_size": 31,
        "num_attention_heads": 5, "num_key_value_heads": 5, "num_local_experts": 3,
        "num_experts_per_tok": 1, "rope_parameters": ROPE | {"rope_theta": 500.0},
    },
    # A shared expert wider than the others; weights are not normalized.
    "qwen2moe_3_of_5": {
        "seed": 102, "model_type": "qwen2_moe", "hidden_size": 20, "intermediate_size": 24,
        "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "num_experts": 5,
        "num_experts_per_tok": 3, "moe_intermediate_size": 7,
        "shared_expert_intermediate_size": 13, "decoder_sparse_step": 1,
    },
    "qwen2moe_2_of_7": {
        "seed": 103, "model_type": "qwen2_moe", "hidden_size": 24, "intermediate_size": 10,
        "vocab_size": 29,
        "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 7,
        "num_experts_per_tok": 2, "moe_intermediate_size": 5,
        "shared_expert_intermediate_size": 10, "decoder_sparse_step": 1,
    },
    # Q and K are normalized over all heads.
    "olmoe_3_of_5": {
        "seed": 104, "model_type": "olmoe", "hidden_size": 18, "intermediate_size": 7,
        "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 1, "num_experts": 5,
        "num_experts_per_tok": 3,
    },
    "olmoe_1_of_3": {
        "seed": 105, "model_type": "olmoe", "hidden_size": 20, "intermediate_size": 9,
        "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 5, "num_experts": 3,
        "num_experts_per_tok": 1, "rope_parameters": ROPE | {"rope_theta": 700.0},
    },
    # Each head of Q and K is normalized; heads are not width / count.
    "qwen3_wide_heads": {
        "seed": 106, "model_type": "qwen3", "hidden_size": 18, "intermediate_size": 23,
        "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 10,
    },
    "qwen3_narrow_heads": {
        "seed": 107, "model_type": "qwen3", "hidden_size": 35, "intermediate_size": 14,
        "vocab_size": 29,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4,
        "tie_word_embeddings": True, "rope_parameters": ROPE | {"rope_theta": 700.0},
    },
    "qwen3moe_3_of_5": {
        "seed": 108, "model_type": "qwen3_moe", "hidden_size": 18, "intermediate_size": 24,
        "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8, "num_experts": 5,
        "num_experts_per_tok": 3, "moe_intermediate_size": 7, "norm_topk_prob": True,
    },
    "qwen3moe_1_of_3": {
        "seed": 109, "model_type": "qwen3_moe", "hidden_size": 20, "intermediate_size": 10,
        "vocab_size": 29,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "num_experts": 3,
        "num_experts_per_tok": 1, "moe_intermediate_size": 9, "norm_topk_prob": True,
        "rope_parameters": ROPE | {"rope_theta": 500.0},
    },
    # Two dense layers first; shared experts side by side.
    "deepseek_2_of_5": {
        "seed": 110, "model_type": "deepseek", "hidden_size": 18, "intermediate_size": 13,
        "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 3, "num_hidden_layers": 3,
        "n_routed_experts": 5, "num_experts_per_tok": 2, "n_shared_experts": 3,
        "moe_intermediate_size": 4, "first_k_dense_replace": 2, "rope_theta": 10000.0,
    },
    "deepseek_3_of_7": {
        "seed": 111, "model_type": "deepseek", "hidden_size": 20, "intermediate_size": 11,
        "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 1, "n_routed_experts": 7,
        "num_experts_per_tok": 3, "n_shared_experts": 1, "moe_intermediate_size": 5,
        "first_k_dense_replace": 1, "rope_theta": 500.0,
    },
    # A dense layer first; three groups of two experts, their best counts; no narrow queries.
    "deepseek2_v2": {
        "seed": 112, "model_type": "deepseek_v2", "hidden_size": 21, "intermediate_size": 14,
        "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 3, "kv_lora_rank": 10,
        "q_lora_rank": None, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5,
        "n_routed_experts": 6, "num_experts_per_tok": 3, "n_shared_experts": 1, "n_group": 3,
        "topk_group": 2, "topk_method": "group_limited_greedy", "moe_intermediate_size": 7,
        "first_k_dense_replace": 1, "routed_scaling_factor": 2.5, "rms_norm_eps": 1e-6,
        "num_hidden_layers": 3, "head_dim": 4,
    },
    # Narrow queries; a bias chooses; two groups count as much as their two best.
    "deepseek2_v3": {
        "seed": 113, "model_type": "deepseek_v3", "hidden_size": 20, "intermediate_size": 12,
        "vocab_size": 41,
        "num_attention_heads": 5, "num_key_value_heads": 5, "kv_lora_rank": 9, "q_lora_rank": 13,
        "qk_nope_head_dim": 5, "qk_rope_head_dim": 6, "v_head_dim": 8, "n_routed_experts": 8,
        "num_experts_per_tok": 3, "n_shared_experts": 2, "n_group": 4, "topk_group": 3,
        "moe_intermediate_size": 5, "first_k_dense_replace": 0, "routed_scaling_factor": 1.75,
        "norm_topk_prob": True, "rms_norm_eps": 1e-6, "head_dim": 6, "scoring_func": "sigmoid",
    },
}  # fmt: skip
