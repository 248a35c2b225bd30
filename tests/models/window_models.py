"""Tiny models some of whose layers see a window, as configurations of transformers."""

from __future__ import annotations

from typing import Any

WIDE = {"hidden_size": 21, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8}
NARROW = {"hidden_size": 20, "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 6}
YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "beta_fast": 32.0,
    "beta_slow": 1.0, "original_max_position_embeddings": 64, "truncate": False,
}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "gemma_wide": {"model_type": "gemma", "intermediate_size": 14, "vocab_size": 37} | WIDE,
    "gemma_narrow": {"model_type": "gemma", "intermediate_size": 9, "vocab_size": 29} | NARROW,
    # Windows shorter than the prompt, scores and logits capped where it matters.
    "gemma2_caps": {
        "model_type": "gemma2", "intermediate_size": 14, "vocab_size": 37, "sliding_window": 9,
        "query_pre_attn_scalar": 8, "attn_logit_softcapping": 3.0,
        "final_logit_softcapping": 5.0, "num_hidden_layers": 3,
    } | WIDE,
    "gemma2_narrow": {
        "model_type": "gemma2", "intermediate_size": 9, "vocab_size": 29, "sliding_window": 13,
        "query_pre_attn_scalar": 6, "final_logit_softcapping": 2.0,
    } | NARROW,
    # Seven layers: the sixth sees everything and is scaled; the others turn by another base.
    "gemma3_7_layers": {
        "model_type": "gemma3_text", "intermediate_size": 14, "vocab_size": 37,
        "sliding_window": 9, "query_pre_attn_scalar": 8, "num_hidden_layers": 7,
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        },
    } | WIDE,
    "gemma3_narrow": {
        "model_type": "gemma3_text", "intermediate_size": 9, "vocab_size": 29,
        "sliding_window": 13, "query_pre_attn_scalar": 6, "num_hidden_layers": 6,
    } | NARROW,
    "olmo2_groups": {
        "model_type": "olmo2", "hidden_size": 20, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1,
    },
    "olmo3_windows": {
        "model_type": "olmo3", "hidden_size": 18, "intermediate_size": 11, "vocab_size": 29,
        "num_attention_heads": 3, "num_key_value_heads": 3, "num_hidden_layers": 5,
        "sliding_window": 7,
    },
    # Every other layer has experts, one of which is chosen; the fourth does not turn.
    "llama4_1_of_3": {
        "model_type": "llama4_text", "intermediate_size": 14, "intermediate_size_mlp": 9,
        "vocab_size": 37, "num_local_experts": 3, "interleave_moe_layer_step": 2,
        "num_hidden_layers": 5,
    } | WIDE,
    "llama4_everywhere": {
        "model_type": "llama4_text", "intermediate_size": 11, "intermediate_size_mlp": 13,
        "vocab_size": 29, "num_local_experts": 5, "interleave_moe_layer_step": 1,
        "num_hidden_layers": 4,
    } | NARROW,
    # Sinks, biases everywhere, clamped gates, YaRN whose bounds are not rounded.
    "gptoss_2_of_5": {
        "model_type": "gpt_oss", "intermediate_size": 14, "vocab_size": 37,
        "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": 9,
        "rope_parameters": YARN,
    } | WIDE | {"head_dim": 20},
    "gptoss_1_of_3": {
        "model_type": "gpt_oss", "intermediate_size": 9, "vocab_size": 29,
        "num_local_experts": 3, "num_experts_per_tok": 1, "sliding_window": 13,
        "num_hidden_layers": 3, "rope_parameters": YARN | {"rope_theta": 500.0},
    } | NARROW,
}  # fmt: skip
