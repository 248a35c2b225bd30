"""Tiny text models inside models that see, as configurations of transformers; they only read."""

from __future__ import annotations

from typing import Any

EYE = {
    "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 8, "patch_size": 4,
}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "llava_of_llama": {
        "model_type": "llama", "hidden_size": 18, "intermediate_size": 11, "vocab_size": 37,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 6,
        "around": {
            "model_type": "llava", "vision_config": EYE | {"model_type": "clip_vision_model"},
        },
    },
    "mistral3_sees": {
        "model_type": "mistral", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 6, "sliding_window": None,
        "around": {"model_type": "mistral3", "vision_config": EYE | {"model_type": "pixtral"}},
    },
    "gemma3_sees": {
        "model_type": "gemma3_text", "hidden_size": 20, "intermediate_size": 9, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 6, "sliding_window": 13,
        "query_pre_attn_scalar": 6, "num_hidden_layers": 6, "seed": 3,
        "around": {
            "model_type": "gemma3", "mm_tokens_per_image": 1, "image_token_index": 28,
            "vision_config": EYE | {"model_type": "siglip_vision_model"},
        },
    },
    "smolvlm_of_llama": {
        "model_type": "llama", "hidden_size": 20, "intermediate_size": 23, "vocab_size": 31,
        "num_attention_heads": 5, "num_key_value_heads": 1, "tie_word_embeddings": True,
        "architectures": ["VLlama3ForCausalLM"],
        "around": {
            "model_type": "smolvlm", "image_token_id": 30, "tie_word_embeddings": True,
            "vision_config": EYE | {"model_type": "smolvlm_vision"},
        },
    },
}  # fmt: skip
