"""What params.json says, in the words of config.json.

Sources: transformers' convert_llama_weights_to_hf.py for what Meta's leaves out; for Mistral's
mistral-inference `transformer.py` (the base of rotary embeddings), llama.cpp
`conversion/mistral.py` and vLLM `transformers_utils/configs/mistral.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..arrays import Array
from ..hyperparameters import Hyperparameters
from ..sources import Checkpoint

FILE = "params.json"
EMBEDDING, OUTPUT = "tok_embeddings.weight", "output.weight"
GATE = "layers.0.feed_forward.w1.weight"
CONTEXT = ("max_position_embeddings", "max_seq_len")
WINDOWS = "_sliding_window"  # Ministral 8B's, for each of some layers
MISTRAL_CONTEXT, MISTRAL_BASE = 32768, 1e6
SMALL = 4096  # models of Llama 3.2 are narrower, those of 3.1 at least as wide


def config_of(folder: Path, params: dict[str, Any], tensors: Mapping[str, Array]) -> dict[str, Any]:
    """Return what config.json would say. Raises: CheckpointError naming the value."""
    checkpoint = Checkpoint(folder, params, tensors, FILE)
    h = Hyperparameters(checkpoint)
    n_heads = h.integer("n_heads", low=1)
    config = {
        "hidden_size": h.integer("dim", low=1),
        "num_hidden_layers": h.integer("n_layers", low=1),
        "num_attention_heads": n_heads,
        "num_key_value_heads": h.integer("n_kv_heads", default=n_heads, low=1),
        "rms_norm_eps": h.number("norm_eps"),
        "rope_theta": _base(h),
        "vocab_size": _n_vocab(h, tensors),
        # an output that is there stays if it differs
        "tie_word_embeddings": OUTPUT in tensors or h.flag("tied_embeddings"),
    }
    return config | (_mistral(h) if _is_mistrals(h) else _meta(h, tensors))


def _is_mistrals(h: Hyperparameters) -> bool:
    """Tell whose it is: of Meta's only one that was pruned says its hidden_dim."""
    return h.has("hidden_dim") and not h.has("use_scaled_rope")


def _base(h: Hyperparameters) -> float:
    """Return the base of rotary embeddings; Mistral's first model, which has none, had a window."""
    is_long = _is_mistrals(h) and not h.has("sliding_window")
    return h.number("rope_theta", default=MISTRAL_BASE if is_long else 10000.0)


def says_context(params: Mapping[str, Any]) -> bool:
    """Tell whether there is a number of tokens."""
    return any(params.get(name) for name in CONTEXT)


def _n_vocab(h: Hyperparameters, tensors: Mapping[str, Array]) -> int:
    """Return how many tokens there are, which Llama 1 and 2 leave to the tokenizer."""
    if h.values.get("vocab_size", -1) != -1 or EMBEDDING not in tensors:
        return h.integer("vocab_size", low=1)
    return tensors[EMBEDDING].shape[0]


def _meta(h: Hyperparameters, tensors: Mapping[str, Array]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "max_position_embeddings": h.integer(*CONTEXT, default=_llama_context(h)),
    }  # fmt: skip
    if GATE in tensors:
        config["intermediate_size"] = tensors[GATE].shape[0]
    if h.flag("use_scaled_rope"):
        factor = 32.0 if h.integer("dim") < SMALL else 8.0
        config["rope_scaling"] = {
            "rope_type": "llama3", "factor": h.number("rope_scaling_factor", default=factor),
            "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }  # fmt: skip
    return config


def _llama_context(h: Hyperparameters) -> int:
    """Return how many tokens the version sees that has such values: 3.1, 3, Code Llama, 2, 1."""
    base = _base(h)
    if h.flag("use_scaled_rope"):
        return 131072
    if base > 10000:
        return 8192 if base == 500000 else 16384
    return 4096 if h.number("norm_eps") >= 1e-5 else 2048


def _mistral(h: Hyperparameters) -> dict[str, Any]:
    grows = h.below("llama_4_scaling").number("beta", default=None)
    if grows and not h.has("yarn"):
        raise h.error("llama_4_scaling", "is only known together with yarn")
    is_newer = h.has("yarn") or grows is not None  # Llama's keys do not say YaRN's apply_scale
    config: dict[str, Any] = {
        "architectures": ["Ministral3ForCausalLM" if is_newer else "MistralForCausalLM"],
        "model_type": "ministral3" if is_newer else "mistral",
        "intermediate_size": h.integer("hidden_dim", low=1),
        "max_position_embeddings": h.integer(*CONTEXT, default=MISTRAL_CONTEXT),
        "head_dim": h.integer("head_dim", default=None),
        "sliding_window": h.integer("sliding_window", default=None),
        "rope_scaling": _yarn(h.below("yarn"), grows) if h.has("yarn") else None,
    }
    if h.has("moe"):
        moe = h.below("moe")
        config["num_local_experts"] = moe.integer("num_experts", low=1)
        config["num_experts_per_tok"] = moe.integer("num_experts_per_tok", low=1)
    if h.has("quantization"):
        config["dtype"] = "bfloat16"  # of what is not quantized
        config["quantization_config"] = _quantization(h.below("quantization"))
    return config


def _quantization(said: Hyperparameters) -> dict[str, Any]:
    """Return what compressed-tensors says itself, or Mistral in words of its own."""
    if said.has("quant_method"):
        return said.values | {"quant_method": said.text("quant_method").replace("_", "-")}
    form = said.text("qformat_weight")
    return {"quant_method": "fp8" if form == "fp8_e4m3" else form}


def _yarn(yarn: Hyperparameters, grows: float | None) -> dict[str, Any]:
    return {
        "rope_type": "yarn", "factor": yarn.number("factor"),
        "beta_fast": yarn.number("beta"), "beta_slow": yarn.number("alpha"),
        "original_max_position_embeddings": yarn.integer("original_max_position_embeddings"),
        "mscale_all_dim": 0.0 if yarn.flag("apply_scale") else 1.0,
        "llama_4_scaling_beta": grows,
    }  # fmt: skip
