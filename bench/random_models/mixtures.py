"""Shapes of known models whose layers attend and choose experts, as config.json has them.

Source: the config.json of each, on Hugging Face. `kept`: layers of a file by default, for models
of which a whole file would be large; `fixed`: numbers that small ones have as well.
"""

from __future__ import annotations

from .attention import Config
from .dense import LLAMA, QWEN3

LLAMA4: Config = {
    "architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text", "hidden_size": 5120,
    "intermediate_size": 8192, "intermediate_size_mlp": 16_384, "num_hidden_layers": 48,
    "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 202_048,
    "rms_norm_eps": 1e-5, "rope_theta": 500_000.0, "num_experts_per_tok": 1, "kept": 4,
}  # fmt: skip
DEEPSEEK2: Config = {
    "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2",
    "vocab_size": 102_400, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "num_experts_per_tok": 6, "n_shared_experts": 2, "first_k_dense_replace": 1,
    "rms_norm_eps": 1e-6, "max_position_embeddings": 163_840, "rope_theta": 10_000.0,
    "rope_scaling": {
        "type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 0.707,
        "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096,
    },
}  # fmt: skip
GPT_OSS: Config = {
    "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_size": 2880,
    "intermediate_size": 2880, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
    "vocab_size": 201_088, "rms_norm_eps": 1e-5, "num_experts_per_tok": 4, "sliding_window": 128,
    "max_position_embeddings": 131_072, "rope_theta": 150_000.0, "kept": 4,
    "rope_scaling": {
        "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0,
        "truncate": False, "original_max_position_embeddings": 4096,
    },
}  # fmt: skip
GLM4_MOE: Config = {
    "architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe", "num_attention_heads": 96,
    "num_key_value_heads": 8, "head_dim": 128, "attention_bias": True, "vocab_size": 151_552,
    "num_experts_per_tok": 8, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
    "norm_topk_prob": True, "rms_norm_eps": 1e-5, "max_position_embeddings": 131_072,
    "rope_theta": 1e6, "partial_rotary_factor": 0.5,
}  # fmt: skip
GRANITE_MOE: Config = {
    "architectures": ["GraniteMoeForCausalLM"], "model_type": "granitemoe", "vocab_size": 49_155,
    "intermediate_size": 512, "num_key_value_heads": 8, "num_experts_per_tok": 8,
    "rms_norm_eps": 1e-6, "rope_theta": 1.5e6, "max_position_embeddings": 131_072,
    "tie_word_embeddings": True, "attention_multiplier": 0.015625, "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22, "logits_scaling": 6.0,
}  # fmt: skip

SHAPES: dict[str, dict[str, Config]] = {
    "llama": {
        "8x7b": {  # Mixtral
            "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 4096,
            "intermediate_size": 14_336, "num_hidden_layers": 32, "num_attention_heads": 32,
            "num_key_value_heads": 8, "vocab_size": 32_000, "rms_norm_eps": 1e-5,
            "rope_theta": 1e6, "max_position_embeddings": 32_768, "num_local_experts": 8,
            "num_experts_per_tok": 2, "kept": 4,
        },
    },
    "llama4": {
        "scout": LLAMA4 | {
            "num_local_experts": 16, "interleave_moe_layer_step": 1, "use_qk_norm": True,
            "max_position_embeddings": 10_485_760,
            "rope_scaling": LLAMA["rope_scaling"] | {"factor": 16.0, "high_freq_factor": 1.0},
        },
        "maverick": LLAMA4 | {
            "num_local_experts": 128, "interleave_moe_layer_step": 2, "use_qk_norm": False,
            "max_position_embeddings": 1_048_576,
            "fixed": ("num_local_experts",),  # by which llama.cpp knows it
        },
    },
    "qwen2moe": {
        "a2.7b": {  # Qwen 1.5
            "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe",
            "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24,
            "num_attention_heads": 16, "num_key_value_heads": 16, "vocab_size": 151_936,
            "num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "max_position_embeddings": 8192, "kept": 6,
        },
        "57b-a14b": {
            "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe",
            "hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 151_936,
            "num_experts": 64, "num_experts_per_tok": 8, "moe_intermediate_size": 2560,
            "shared_expert_intermediate_size": 20_480, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "max_position_embeddings": 32_768, "kept": 3,
        },
    },
    "qwen3moe": {
        "30b-a3b": QWEN3 | {
            "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe",
            "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 48,
            "num_attention_heads": 32, "num_key_value_heads": 4, "num_experts": 128,
            "num_experts_per_tok": 8, "moe_intermediate_size": 768, "kept": 4,
        },
        "235b-a22b": QWEN3 | {
            "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe",
            "hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 94,
            "num_attention_heads": 64, "num_key_value_heads": 4, "num_experts": 128,
            "num_experts_per_tok": 8, "moe_intermediate_size": 1536, "kept": 2,
        },
    },
    "deepseek": {
        "16b": {
            "architectures": ["DeepseekForCausalLM"], "model_type": "deepseek",
            "hidden_size": 2048, "intermediate_size": 10_944, "num_hidden_layers": 28,
            "num_attention_heads": 16, "num_key_value_heads": 16, "vocab_size": 102_400,
            "n_routed_experts": 64, "num_experts_per_tok": 6, "n_shared_experts": 2,
            "moe_intermediate_size": 1408, "first_k_dense_replace": 1, "rms_norm_eps": 1e-6,
            "rope_theta": 10_000.0, "max_position_embeddings": 4096, "kept": 6,
        },
    },
    "deepseek2": {
        "v2-lite": DEEPSEEK2 | {  # llama.cpp knows it by its 27 layers
            "hidden_size": 2048, "intermediate_size": 10_944, "num_hidden_layers": 27,
            "num_attention_heads": 16, "num_key_value_heads": 16, "n_routed_experts": 64,
            "moe_intermediate_size": 1408, "routed_scaling_factor": 1.0, "kept": 27,
        },
        "v2": DEEPSEEK2 | {
            "hidden_size": 5120, "intermediate_size": 12_288, "num_hidden_layers": 60,
            "num_attention_heads": 128, "num_key_value_heads": 128, "q_lora_rank": 1536,
            "n_routed_experts": 160, "moe_intermediate_size": 1536, "n_group": 8, "topk_group": 3,
            "topk_method": "group_limited_greedy", "routed_scaling_factor": 16.0, "kept": 2,
        },
        "v3": DEEPSEEK2 | {
            "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
            "vocab_size": 129_280, "hidden_size": 7168, "intermediate_size": 18_432,
            "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128,
            "q_lora_rank": 1536, "n_routed_experts": 256, "num_experts_per_tok": 8,
            "n_shared_experts": 1, "moe_intermediate_size": 2048, "first_k_dense_replace": 3,
            "n_group": 8, "topk_group": 4, "scoring_func": "sigmoid", "norm_topk_prob": True,
            "routed_scaling_factor": 2.5, "kept": 4,
            "rope_scaling": DEEPSEEK2["rope_scaling"] | {"mscale": 1.0, "mscale_all_dim": 1.0},
        },
    },
    "gpt-oss": {
        "20b": GPT_OSS | {"num_hidden_layers": 24, "num_local_experts": 32},
        "120b": GPT_OSS | {"num_hidden_layers": 36, "num_local_experts": 128, "kept": 2},
    },
    "olmoe": {
        "1b-7b": {
            "architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "hidden_size": 2048,
            "intermediate_size": 1024, "num_hidden_layers": 16, "num_attention_heads": 16,
            "num_key_value_heads": 16, "vocab_size": 50_304, "num_experts": 64,
            "num_experts_per_tok": 8, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0,
            "max_position_embeddings": 4096,
        },
    },
    "glm4moe": {
        "air": GLM4_MOE | {
            "hidden_size": 4096, "intermediate_size": 10_944, "num_hidden_layers": 46,
            "n_routed_experts": 128, "moe_intermediate_size": 1408, "first_k_dense_replace": 1,
            "use_qk_norm": False, "routed_scaling_factor": 1.0, "kept": 3,
        },
        "355b-a32b": GLM4_MOE | {
            "hidden_size": 5120, "intermediate_size": 12_288, "num_hidden_layers": 92,
            "n_routed_experts": 160, "moe_intermediate_size": 1536, "first_k_dense_replace": 3,
            "use_qk_norm": True, "routed_scaling_factor": 2.5, "kept": 4,
        },
    },
    "granitemoe": {
        "1b-a400m": GRANITE_MOE | {
            "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
            "num_local_experts": 32,
        },
        "3b-a800m": GRANITE_MOE | {
            "hidden_size": 1536, "num_hidden_layers": 32, "num_attention_heads": 24,
            "num_local_experts": 40,
        },
    },
}  # fmt: skip
