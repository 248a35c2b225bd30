"""Tiny Llama and Qwen 2 models, as configurations of transformers."""

from __future__ import annotations

from typing import Any

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    # Heads that are not width / count, three to a key head, frequencies of Llama 3.
    "llama_wide_heads": {
        "model_type": "llama", "hidden_size": 18, "intermediate_size": 11, "vocab_size": 37,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 10,
        "rope_parameters": LLAMA3,
    },
    "llama_tied_biases": {
        "model_type": "llama", "hidden_size": 20, "intermediate_size": 23, "vocab_size": 31,
        "num_attention_heads": 5, "num_key_value_heads": 1, "attention_bias": True,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0},
    },
    "qwen2_odd": {
        "model_type": "qwen2", "hidden_size": 18, "intermediate_size": 25, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    },
}  # fmt: skip
