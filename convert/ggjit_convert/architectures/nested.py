"""Text models inside models that see or hear: what `text_config` leaves out, tensors' names."""

from __future__ import annotations

import re
from typing import Any

from ..sources import text_config
from .tensors import Tensors

# Of a checkpoint's tensors, what a text model does not need: buffers, other modalities.
NOT_WEIGHTS = re.compile(
    r"\.attention\.(masked_)?bias$|\.attn\.(masked_)?bias$|rotary_emb\.inv_freq$"
    r"|(^|\.)rope\.freqs$"
    r"|^(model\.)?(visual|vision|audio|multi_modal_projector|mm_projector|connector|image_newline)"
    r"|^(patch_merger|pre_mm_projector_norm)\."
)
INNER = "language_model|text_model"  # what the text model is called
LLAMA = {
    "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "vocab_size": 32000,
}  # fmt: skip
MISTRAL = LLAMA | {
    "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072,
}  # fmt: skip
QWEN35 = {
    "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 32,
    "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 256,
    "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "linear_num_key_heads": 16, "linear_num_value_heads": 32,
}  # fmt: skip
# By `model_type`, what transformers' configuration classes fill in: it used to leave out of
# `text_config` what was the same there.
DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": LLAMA,
    "qwen2": LLAMA | {"intermediate_size": 22016, "vocab_size": 151936},
    "mistral": MISTRAL,
    "ministral3": MISTRAL | {
        "num_hidden_layers": 34, "head_dim": 128, "vocab_size": 131072, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 262144,
    },
    "llama4_text": {
        "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
        "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8,
        "head_dim": 128, "vocab_size": 202048, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "max_position_embeddings": 131072, "num_experts_per_tok": 1, "num_local_experts": 16,
        "interleave_moe_layer_step": 1,
    },
    "gemma3_text": {
        "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "sliding_window": 4096,
    },
    "qwen3_5_text": QWEN35,
    "qwen3_5_moe_text": {n: v for n, v in QWEN35.items() if n != "intermediate_size"} | {
        "hidden_size": 2048, "num_hidden_layers": 40, "num_key_value_heads": 2,
        "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512,
        "num_experts_per_tok": 8, "num_experts": 256,
    },
}  # fmt: skip


# Classes around text models of any family, and these by their `model_type`.
AROUND = (
    "Idefics3ForConditionalGeneration", "InternVLForConditionalGeneration",
    "KimiK25ForConditionalGeneration", "KimiVLForConditionalGeneration",
    "LlavaForConditionalGeneration", "LlavaNextForConditionalGeneration",
    "Qwen2AudioForConditionalGeneration", "SmolVLMForConditionalGeneration",
    "VoxtralForConditionalGeneration",
)  # fmt: skip
INSIDE = {
    "deepseek_v3": "DeepseekV3ForCausalLM", "granite": "GraniteForCausalLM",
    "kimi_k2": "DeepseekV3ForCausalLM", "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
}  # fmt: skip


def text_class(name: str, config: dict[str, Any]) -> str:
    """Return the class of the text model in a model of a class; its own if it is one."""
    return INSIDE.get(_kind(config), name) if name in AROUND else name


def text_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a text model's configuration leaves out, if it is inside another's."""
    return DEFAULTS.get(_kind(config), {})


def _kind(config: dict[str, Any]) -> str:
    return str(text_config(config).get("model_type"))


def text_tensors(tensors: Tensors) -> Tensors:
    """Return the weights of a text model, under the names that it has by itself."""
    return {_text_name(n): a for n, a in tensors.items() if not NOT_WEIGHTS.search(n)}


def _text_name(name: str) -> str:
    inner = re.sub(rf"^(model\.)?({INNER})\.(model\.)?", "model.", name)
    return re.sub(r"^model\.lm_head\.", "lm_head.", inner)
