"""Shapes of known models whose layers attend and have no experts, as config.json has them.

Source: the config.json of each, on Hugging Face.
"""

from __future__ import annotations

from .attention import Config

LLAMA: Config = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128_256,
    "rms_norm_eps": 1e-5, "num_key_value_heads": 8, "rope_theta": 500_000.0,
    "max_position_embeddings": 131_072,
    "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}  # fmt: skip
MISTRAL3: Config = {
    "architectures": ["Ministral3ForCausalLM"], "model_type": "ministral3", "vocab_size": 131_072,
    "rms_norm_eps": 1e-5, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "max_position_embeddings": 262_144,
    "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 1e6, "factor": 16.0, "beta_fast": 32.0,
        "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
        "original_max_position_embeddings": 16_384,
    },
}  # fmt: skip
QWEN2: Config = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rms_norm_eps": 1e-6,
    "rope_theta": 1e6, "max_position_embeddings": 32_768,
}  # fmt: skip
QWEN3: Config = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 151_936,
    "head_dim": 128, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "max_position_embeddings": 40_960,
    "num_key_value_heads": 8,
}  # fmt: skip
GEMMA: Config = {
    "architectures": ["GemmaForCausalLM"], "model_type": "gemma", "vocab_size": 256_000,
    "head_dim": 256, "rms_norm_eps": 1e-6, "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}  # fmt: skip
GEMMA2: Config = GEMMA | {
    "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "sliding_window": 4096,
    "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "query_pre_attn_scalar": 256,
}  # fmt: skip
GEMMA3: Config = GEMMA | {
    "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "vocab_size": 262_144,
    "max_position_embeddings": 32_768, "sliding_window": 512, "query_pre_attn_scalar": 256,
    "rope_theta": 1e6, "rope_local_base_freq": 10_000.0,
}  # fmt: skip
FACTORS = [  # of MiniCPM 3's frequencies
    1.0591234, 1.1241891, 1.2596936, 1.538038, 2.0939825, 3.1446934, 4.9379526, 7.524542,
    10.475458, 13.062047, 14.855306, 15.906018, 16.461962, 16.740306, 16.87581, 16.940876,
]  # fmt: skip
PHI3: Config = {
    "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "rms_norm_eps": 1e-5,
}  # fmt: skip
OLMO2: Config = {
    "architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "vocab_size": 100_352,
    "rms_norm_eps": 1e-6, "rope_theta": 500_000.0, "max_position_embeddings": 4096,
}  # fmt: skip
GRANITE: Config = {
    "architectures": ["GraniteForCausalLM"], "model_type": "granite", "vocab_size": 49_159,
    "rms_norm_eps": 1e-5, "num_hidden_layers": 40, "num_attention_heads": 32,
    "num_key_value_heads": 8, "rope_theta": 1e7, "max_position_embeddings": 131_072,
    "tie_word_embeddings": True, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
}  # fmt: skip

SHAPES: dict[str, dict[str, Config]] = {
    "llama": {
        "135m": {  # SmolLM 2
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 576,
            "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
            "num_key_value_heads": 3, "vocab_size": 49_152, "rms_norm_eps": 1e-5,
            "rope_theta": 100_000.0, "max_position_embeddings": 8192, "tie_word_embeddings": True,
        },
        "1b": LLAMA | {
            "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
            "num_attention_heads": 32, "head_dim": 64, "tie_word_embeddings": True,
            "rope_scaling": LLAMA["rope_scaling"] | {"factor": 32.0},
        },
        "8b": LLAMA | {
            "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32,
            "num_attention_heads": 32,
        },
    },
    "mistral3": {
        "3b": MISTRAL3 | {
            "hidden_size": 3072, "intermediate_size": 9216, "num_hidden_layers": 26,
            "tie_word_embeddings": True,
        },
        "8b": MISTRAL3 | {
            "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 34,
        },
    },
    "qwen2": {
        "0.5b": QWEN2 | {
            "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
            "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151_936,
            "tie_word_embeddings": True,
        },
        "7b": QWEN2 | {
            "hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152_064,
        },
    },
    "qwen3": {
        "0.6b": QWEN3 | {
            "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
            "num_attention_heads": 16, "tie_word_embeddings": True,
        },
        "4b": QWEN3 | {
            "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
            "num_attention_heads": 32, "tie_word_embeddings": True,
        },
        "8b": QWEN3 | {
            "hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 36,
            "num_attention_heads": 32,
        },
    },
    "gemma": {
        "2b": GEMMA | {
            "hidden_size": 2048, "intermediate_size": 16_384, "num_hidden_layers": 18,
            "num_attention_heads": 8, "num_key_value_heads": 1,
        },
        "7b": GEMMA | {
            "hidden_size": 3072, "intermediate_size": 24_576, "num_hidden_layers": 28,
            "num_attention_heads": 16, "num_key_value_heads": 16,
        },
    },
    "gemma2": {
        "2b": GEMMA2 | {
            "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
            "num_attention_heads": 8, "num_key_value_heads": 4,
        },
        "9b": GEMMA2 | {
            "hidden_size": 3584, "intermediate_size": 14_336, "num_hidden_layers": 42,
            "num_attention_heads": 16, "num_key_value_heads": 8,
        },
    },
    "gemma3": {
        "1b": GEMMA3 | {
            "hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26,
            "num_attention_heads": 4, "num_key_value_heads": 1,
        },
        "4b": GEMMA3 | {
            "hidden_size": 2560, "intermediate_size": 10_240, "num_hidden_layers": 34,
            "num_attention_heads": 8, "num_key_value_heads": 4, "sliding_window": 1024,
            "vocab_size": 262_208, "max_position_embeddings": 131_072,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
    },
    "minicpm": {
        "2b": {
            "architectures": ["MiniCPMForCausalLM"], "model_type": "minicpm", "hidden_size": 2304,
            "intermediate_size": 5760, "num_hidden_layers": 40, "num_attention_heads": 36,
            "num_key_value_heads": 36, "vocab_size": 122_753, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 4096, "tie_word_embeddings": True, "scale_emb": 12,
            "scale_depth": 1.4, "dim_model_base": 256,
        },
    },
    "minicpm3": {
        "4b": {
            "architectures": ["MiniCPM3ForCausalLM"], "model_type": "minicpm3",
            "hidden_size": 2560, "intermediate_size": 6400, "num_hidden_layers": 62,
            "num_attention_heads": 40, "num_key_value_heads": 40, "q_lora_rank": 768,
            "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64,
            "vocab_size": 73_448, "rms_norm_eps": 1e-5, "max_position_embeddings": 32_768,
            "tie_word_embeddings": True, "scale_emb": 12, "scale_depth": 1.4,
            "dim_model_base": 256,
            "rope_scaling": {
                "rope_type": "longrope", "long_factor": FACTORS, "short_factor": FACTORS,
                "original_max_position_embeddings": 32_768,
            },
        },
    },
    "gpt2": {
        name: {
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 50_257,
            "n_positions": 1024, "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True,
            "n_embd": n, "num_hidden_layers": n_layers, "n_head": n_heads,
        }
        for name, n, n_layers, n_heads in (("124m", 768, 12, 12), ("xl", 1600, 48, 25))
    },
    "phi3": {
        "mini": PHI3 | {
            "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32_064,
            "rope_theta": 10_000.0, "max_position_embeddings": 4096, "sliding_window": 2047,
        },
        "14b": PHI3 | {  # Phi 4
            "hidden_size": 5120, "intermediate_size": 17_920, "num_hidden_layers": 40,
            "num_attention_heads": 40, "num_key_value_heads": 10, "vocab_size": 100_352,
            "rope_theta": 250_000.0, "max_position_embeddings": 16_384, "kept": 10,
            "original_max_position_embeddings": 16_384,
        },
    },
    "smollm3": {
        "3b": {
            "architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3", "hidden_size": 2048,
            "intermediate_size": 11_008, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 4, "vocab_size": 128_256, "rms_norm_eps": 1e-6,
            "rope_theta": 5e6, "max_position_embeddings": 65_536, "tie_word_embeddings": True,
        },
    },
    "olmo2": {
        "1b": OLMO2 | {
            "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
            "num_attention_heads": 16, "num_key_value_heads": 16,
        },
        "7b": OLMO2 | {
            "hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 32,
        },
        "3-7b": OLMO2 | {  # OLMo 3, every fourth layer without a window
            "architectures": ["Olmo3ForCausalLM"], "model_type": "olmo3", "hidden_size": 4096,
            "intermediate_size": 11_008, "num_hidden_layers": 32, "num_attention_heads": 32,
            "num_key_value_heads": 32, "vocab_size": 100_278, "sliding_window": 4096,
            "max_position_embeddings": 65_536,
            "rope_scaling": {
                "rope_type": "yarn", "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0,
                "attention_factor": 1.2079441541679836, "original_max_position_embeddings": 8192,
            },
        },
    },
    "glm4": {
        "9b": {
            "architectures": ["Glm4ForCausalLM"], "model_type": "glm4", "hidden_size": 4096,
            "intermediate_size": 13_696, "num_hidden_layers": 40, "num_attention_heads": 32,
            "num_key_value_heads": 2, "head_dim": 128, "attention_bias": True,
            "vocab_size": 151_552, "rms_norm_eps": 1e-5, "max_position_embeddings": 32_768,
            "rope_theta": 10_000.0, "partial_rotary_factor": 0.5,
        },
    },
    "granite": {
        "2b": GRANITE | {
            "hidden_size": 2048, "intermediate_size": 8192, "attention_multiplier": 0.015625,
            "logits_scaling": 8.0,
        },
        "8b": GRANITE | {
            "hidden_size": 4096, "intermediate_size": 12_800, "attention_multiplier": 0.0078125,
            "logits_scaling": 16.0,
        },
    },
}  # fmt: skip
