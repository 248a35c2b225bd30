"""Shapes of known models with recurrent layers, as config.json has them; `kept` as in mixtures.py.

Source: the config.json of each, on Hugging Face.
"""

from __future__ import annotations

from .attention import Config

LINEAR: Config = {
    "head_dim": 256, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
    "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
    "rms_norm_eps": 1e-6, "max_position_embeddings": 262_144, "rope_theta": 1e7,
    "partial_rotary_factor": 0.25,
}  # fmt: skip
QWEN35: Config = LINEAR | {
    "architectures": ["Qwen3_5ForCausalLM"], "model_type": "qwen3_5_text", "vocab_size": 248_320,
}  # fmt: skip
GRANITE_HYBRID: Config = {
    "architectures": ["GraniteMoeHybridForCausalLM"], "model_type": "granitemoehybrid",
    "vocab_size": 100_352, "num_hidden_layers": 40, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 131_072, "tie_word_embeddings": True,
    "layer_types": ["attention" if i in (5, 15, 25, 35) else "mamba" for i in range(40)],
    "position_embedding_type": "nope", "mamba_d_conv": 4, "mamba_d_head": 64,
    "mamba_d_state": 128, "mamba_expand": 2, "mamba_n_groups": 1, "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
}  # fmt: skip
LFM2: Config = {
    "architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2", "num_hidden_layers": 16,
    "num_key_value_heads": 8, "vocab_size": 65_536, "norm_eps": 1e-5, "rope_theta": 1e6,
    "max_position_embeddings": 128_000, "tie_word_embeddings": True, "conv_L_cache": 3,
    "block_auto_adjust_ff_dim": True, "block_ffn_dim_multiplier": 1.0, "block_multiple_of": 256,
    "layer_types": [
        "full_attention" if i in (2, 5, 8, 10, 12, 14) else "conv" for i in range(16)
    ],
}  # fmt: skip

SHAPES: dict[str, dict[str, Config]] = {
    "qwen3next": {
        "80b-a3b": LINEAR | {
            "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next",
            "hidden_size": 2048, "intermediate_size": 5120, "num_hidden_layers": 48,
            "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151_936,
            "num_experts": 512, "num_experts_per_tok": 10, "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512, "kept": 4,
        },
    },
    "qwen35": {
        "0.8b": QWEN35 | {
            "hidden_size": 1024, "intermediate_size": 3584, "num_hidden_layers": 24,
            "num_attention_heads": 8, "num_key_value_heads": 2, "linear_num_value_heads": 16,
            "tie_word_embeddings": True,
        },
        "4b": QWEN35 | {
            "hidden_size": 2560, "intermediate_size": 9216, "num_hidden_layers": 32,
            "num_attention_heads": 16, "num_key_value_heads": 4, "tie_word_embeddings": True,
        },
        "27b": QWEN35 | {
            "hidden_size": 5120, "intermediate_size": 17_408, "num_hidden_layers": 64,
            "num_attention_heads": 24, "num_key_value_heads": 4, "linear_num_value_heads": 48,
            "kept": 8,
        },
    },
    "qwen35moe": {
        "35b-a3b": QWEN35 | {
            "architectures": ["Qwen3_5MoeForCausalLM"], "model_type": "qwen3_5_moe_text",
            "hidden_size": 2048, "num_hidden_layers": 40, "num_attention_heads": 16,
            "num_key_value_heads": 2, "num_experts": 256, "num_experts_per_tok": 8,
            "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512, "kept": 4,
        },
    },
    "kimi-linear": {
        "48b-a3b": {
            "architectures": ["KimiLinearForCausalLM"], "model_type": "kimi_linear",
            "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 27,
            "num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 72,
            "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
            "v_head_dim": 128, "vocab_size": 163_840, "num_experts": 256,
            "num_experts_per_token": 8, "num_shared_experts": 1, "moe_intermediate_size": 1024,
            "first_k_dense_replace": 1, "routed_scaling_factor": 2.446, "moe_renormalize": True,
            "moe_router_activation_func": "sigmoid", "num_expert_group": 1, "topk_group": 1,
            "linear_attn_config": {
                "full_attn_layers": [4, 8, 12, 16, 20, 24, 27], "num_heads": 32, "head_dim": 128,
                "short_conv_kernel_size": 4,
            },
            "rms_norm_eps": 1e-5, "rope_theta": 10_000.0, "model_max_length": 1_048_576, "kept": 4,
        },
    },
    "granitehybrid": {
        "micro": GRANITE_HYBRID | {
            "hidden_size": 2048, "intermediate_size": 8192, "shared_intermediate_size": 8192,
            "num_attention_heads": 32, "num_key_value_heads": 8, "mamba_n_heads": 64,
            "attention_multiplier": 0.015625, "logits_scaling": 8.0, "num_local_experts": 0,
            "num_experts_per_tok": 0,
        },
        "7b-a1b": GRANITE_HYBRID | {  # Granite 4.0 H Tiny
            "hidden_size": 1536, "intermediate_size": 512, "shared_intermediate_size": 1024,
            "num_attention_heads": 12, "num_key_value_heads": 4, "mamba_n_heads": 48,
            "attention_multiplier": 0.0078125, "logits_scaling": 6.0, "num_local_experts": 64,
            "num_experts_per_tok": 6, "kept": 10,
        },
    },
    "lfm2": {
        "350m": LFM2 | {
            "hidden_size": 1024, "intermediate_size": 6656, "num_attention_heads": 16,
        },
        "1.2b": LFM2 | {
            "hidden_size": 2048, "intermediate_size": 12_288, "num_attention_heads": 32,
        },
    },
}  # fmt: skip
