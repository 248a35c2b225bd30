"""Tiny models without windows, as configurations of transformers."""

from __future__ import annotations

from typing import Any

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "beta_fast": 32.0,
    "beta_slow": 1.0, "original_max_position_embeddings": 64,
}  # fmt: skip
MULTIPLIERS = {
    "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.7,
    "logits_scaling": 2.0,
}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "gpt2_5_heads": {
        "model_type": "gpt2", "n_embd": 20, "n_head": 5, "n_layer": 2, "vocab_size": 37,
        "n_ctx": 256,
    },
    "gpt2_3_heads": {
        "model_type": "gpt2", "n_embd": 18, "n_head": 3, "n_layer": 3, "vocab_size": 31,
        "n_ctx": 256, "layer_norm_epsilon": 1e-3,
    },
    # One matrix for Q, K and V, one for gate and up; a window shorter than the prompt.
    "phi3_window": {
        "seed": 7, "model_type": "phi3", "hidden_size": 20, "intermediate_size": 14,
        "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "sliding_window": 11,
        "pad_token_id": 0,
    },
    # Contexts beyond what it was trained for: long factors, a magnitude; part of a head turns.
    "phi3_long": {
        "model_type": "phi3", "hidden_size": 24, "intermediate_size": 15, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 1, "pad_token_id": 0, "n_tokens": 70,
        "original_max_position_embeddings": 64,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
            "long_factor": [1.5, 3.0, 7.0], "short_factor": [1.0, 1.25, 1.5],
            "original_max_position_embeddings": 64,
        },
    },
    # Every fourth layer does not turn.
    "smollm3_5_layers": {
        "model_type": "smollm3", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "num_hidden_layers": 5,
        "pad_token_id": 0,
    },
    "smollm3_tied": {
        "model_type": "smollm3", "hidden_size": 18, "intermediate_size": 11, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 3, "num_hidden_layers": 4,
        "pad_token_id": 0, "tie_word_embeddings": True, "rope_parameters": ROPE,
    },
    "granite_scaled": {
        "model_type": "granite", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1,
    } | MULTIPLIERS,
    "granite_tied": {
        "model_type": "granite", "hidden_size": 18, "intermediate_size": 13, "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 3, "embedding_multiplier": 12.0,
        "tie_word_embeddings": True, "rope_parameters": ROPE | {"rope_theta": 500.0},
    },
    "granitemoe_2_of_5": {
        "model_type": "granitemoe", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "num_local_experts": 5,
        "num_experts_per_tok": 2,
    } | MULTIPLIERS,
    "granitemoe_shared": {
        "model_type": "granitemoeshared", "hidden_size": 18, "intermediate_size": 7,
        "vocab_size": 29, "num_attention_heads": 3, "num_key_value_heads": 1,
        "num_local_experts": 3, "num_experts_per_tok": 1, "shared_intermediate_size": 11,
    } | MULTIPLIERS,
    # Half of each head turns; norms before and behind each part.
    "glm4_biases": {
        "model_type": "glm4", "hidden_size": 21, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0,
        "attention_bias": True,
    },
    "glm4_plain": {
        "model_type": "glm4", "hidden_size": 20, "intermediate_size": 9, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 12, "pad_token_id": 0,
        "rope_parameters": ROPE | {"partial_rotary_factor": 0.5},
    },
    "glm4moe_2_of_5": {
        "model_type": "glm4_moe", "hidden_size": 21, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8, "n_routed_experts": 5,
        "num_experts_per_tok": 2, "moe_intermediate_size": 6, "first_k_dense_replace": 1,
        "n_shared_experts": 1, "num_hidden_layers": 3, "use_qk_norm": True,
        "routed_scaling_factor": 1.5,
    },
    "glm4moe_3_of_7": {
        "model_type": "glm4_moe", "hidden_size": 20, "intermediate_size": 10, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 4, "n_routed_experts": 7,
        "num_experts_per_tok": 3, "moe_intermediate_size": 5, "first_k_dense_replace": 0,
        "n_shared_experts": 2, "attention_bias": True, "norm_topk_prob": False,
    },
    "minicpm_scaled": {
        "model_type": "minicpm", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "scale_emb": 12, "scale_depth": 1.4,
        "dim_model_base": 8,
    },
    "minicpm_tied": {
        "model_type": "minicpm", "hidden_size": 18, "intermediate_size": 11, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 3, "scale_emb": 2, "scale_depth": 1.7,
        "dim_model_base": 12, "num_hidden_layers": 3, "tie_word_embeddings": True,
    },
    # Latent attention; factors of long contexts for a prompt within the first one.
    "minicpm3_short": {
        "model_type": "minicpm3", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 5, "kv_lora_rank": 9, "q_lora_rank": 13,
        "qk_nope_head_dim": 5, "qk_rope_head_dim": 6, "v_head_dim": 4, "scale_emb": 12,
        "scale_depth": 1.4, "dim_model_base": 256,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "long_factor": [1.5, 3.0, 7.0],
            "short_factor": [1.0, 1.25, 2.0], "original_max_position_embeddings": 256,
        },
    },
    "minicpm3_plain": {
        "model_type": "minicpm3", "hidden_size": 18, "intermediate_size": 9, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 3, "kv_lora_rank": 7, "q_lora_rank": 11,
        "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 6, "scale_emb": 12,
        "scale_depth": 1.4, "dim_model_base": 256, "num_hidden_layers": 3,
        "rope_parameters": ROPE,
    },
    # YaRN, with a temperature that grows within the prompt.
    "mistral3_grows": {
        "model_type": "ministral3", "hidden_size": 21, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8,
        "rope_parameters": YARN | {
            "original_max_position_embeddings": 16, "mscale_all_dim": 1.0, "mscale": 1.0,
            "llama_4_scaling_beta": 0.5,
        },
    },
    "mistral3_tied": {
        "model_type": "ministral3", "hidden_size": 20, "intermediate_size": 11, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 6,
        "tie_word_embeddings": True,
        "rope_parameters": YARN | {
            "original_max_position_embeddings": 32, "mscale_all_dim": 1.0, "mscale": 1.0,
            "llama_4_scaling_beta": 0.1, "rope_theta": 500.0,
        },
    },
    "qwen3_yarn": {
        "model_type": "qwen3", "hidden_size": 18, "intermediate_size": 23, "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 20,
        "rope_parameters": YARN,
    },
    "deepseek2_yarn": {
        "model_type": "deepseek_v3", "hidden_size": 20, "intermediate_size": 12, "vocab_size": 41,
        "num_attention_heads": 5, "num_key_value_heads": 5, "kv_lora_rank": 9, "q_lora_rank": 13,
        "qk_nope_head_dim": 5, "qk_rope_head_dim": 12, "v_head_dim": 8, "n_routed_experts": 4,
        "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
        "moe_intermediate_size": 5, "first_k_dense_replace": 1, "norm_topk_prob": True,
        "rms_norm_eps": 1e-6, "head_dim": 12, "scoring_func": "sigmoid",
        "rope_parameters": YARN | {"mscale_all_dim": 0.7, "mscale": 0.7},
    },
}  # fmt: skip
