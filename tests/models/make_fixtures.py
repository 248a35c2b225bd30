"""Makes the files in data/: tiny random models, and what transformers computes with them.

Run by hand, never by a test, in an environment with torch, transformers and gguf:

    python tests/models/make_fixtures.py

Each model is NAME.gguf (float32) and NAME.npz: `ids`, `logits` [T, V] after each of them, and
`greedy`, the ids that follow. Made with torch 2.13.0, transformers 5.23.0, gguf 0.19.0. Names of
tensors and keys, and the order of Q and K rows, are those of llama.cpp's converter
(conversion/llama.py: rows of a head are taken from the two halves in turn; those of Qwen2 stay).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)  # fmt: skip

DATA = Path(__file__).parent / "data"
N_TOKENS, N_GREEDY = 24, 12

MODELS: dict[str, dict[str, Any]] = {
    # Three query heads to a key head; heads * head_dim is not the width.
    "groups_of_3": {
        "hidden_size": 18, "intermediate_size": 38, "num_attention_heads": 6,
        "num_key_value_heads": 2, "head_dim": 10, "vocab_size": 97,
    },
    # Every projection has a bias; the embedding is the output matrix too.
    "biases_tied": {
        "hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 3,
        "num_key_value_heads": 3, "vocab_size": 61, "attention_bias": True, "mlp_bias": True,
        "tie_word_embeddings": True,
    },
    # One key head for all; positions four times slower; a large epsilon.
    "one_key_head_linear": {
        "hidden_size": 25, "intermediate_size": 30, "num_attention_heads": 5,
        "num_key_value_heads": 1, "head_dim": 12, "vocab_size": 53, "rms_norm_eps": 0.01,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0},
    },
    # Llama 3's frequencies: fast pairs as they are, slow ones divided, some between.
    "llama3_frequencies": {
        "hidden_size": 32, "intermediate_size": 30, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 20, "vocab_size": 47, "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64, "rope_theta": 500000.0,
        },
    },
    # Nothing is a multiple of anything; more tokens than one run of keys in the cache.
    "long_odd": {
        "hidden_size": 21, "intermediate_size": 23, "num_attention_heads": 7,
        "num_key_value_heads": 7, "head_dim": 2, "vocab_size": 31, "num_hidden_layers": 3,
        "n_tokens": 150,
    },
    # Biases on Q, K and V alone; seven query heads to a key head, as in Qwen2.5 0.5B.
    "qwen2_tied": {
        "hidden_size": 28, "intermediate_size": 34, "num_attention_heads": 7,
        "num_key_value_heads": 1, "head_dim": 4, "vocab_size": 59, "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "rms_norm_eps": 1e-6,
    },
    "qwen2_untied": {
        "hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 43, "n_tokens": 80,
    },
}  # fmt: skip
CLASSES: dict[str, tuple[type[PreTrainedConfig], type[PreTrainedModel]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
}


def main() -> None:
    DATA.mkdir(exist_ok=True)
    for seed, (name, settings) in enumerate(MODELS.items()):
        make(name, seed, dict(settings))
    print(sum(file.stat().st_size for file in DATA.iterdir()), "bytes in all")


def make(name: str, seed: int, settings: dict[str, Any]) -> None:
    n_tokens = settings.pop("n_tokens", N_TOKENS)
    new_config, new_model = CLASSES["qwen2" if name.startswith("qwen2") else "llama"]
    config = new_config(
        **{"num_hidden_layers": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5} | settings,
        attn_implementation="eager",
    )  # fmt: skip
    model = new_model(config).float().eval()
    randomize(model, torch.Generator().manual_seed(seed))
    ids = np.random.default_rng(seed).integers(0, config.vocab_size, n_tokens)
    logits = logits_of(model, ids)
    greedy = ids.tolist()
    for _ in range(N_GREEDY):
        greedy.append(int(logits_of(model, greedy)[-1].argmax()))
    np.savez(
        DATA / f"{name}.npz", ids=ids.astype(np.int32), logits=logits,
        greedy=np.array(greedy[n_tokens:], np.int32),
    )  # fmt: skip
    write_gguf(DATA / f"{name}.gguf", config, model)
    print(name, f"{logits.std():.3f}", (DATA / f"{name}.gguf").stat().st_size)


def randomize(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Give every parameter a size at which it matters."""
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            values = 1 + 0.3 * values
        elif parameter.ndim == 2 and "embed" not in name:
            values *= 1.5 / math.sqrt(parameter.shape[1])
        else:
            values *= 0.5
        parameter.data = values


def logits_of(model: PreTrainedModel, ids: Any) -> Any:
    with torch.no_grad():
        return model(torch.tensor(np.asarray(ids)[None])).logits[0].numpy()


# -- the file -------------------------------------------------------------------------------------

NAMES = {
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(path: Path, config: PreTrainedConfig, model: PreTrainedModel) -> None:
    writer = gguf.GGUFWriter(path, config.model_type)
    rope = config.rope_parameters
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    if config.head_dim * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        writer.add_tensor(gguf_name(name), permuted(name, tensor.numpy(), config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    module, _, kind = name.removeprefix("model.").rpartition(".")
    if not module.startswith("layers."):
        return f"{NAMES[module]}.{kind}"
    _, i, module = module.split(".", 2)
    return f"blk.{i}.{NAMES[module]}.{kind}"


def permuted(name: str, values: Any, config: PreTrainedConfig) -> Any:
    """Take the rows of each Q and K head of a Llama from its two halves in turn."""
    module = name.split(".")[-2]
    if config.model_type != "llama" or module not in ("q_proj", "k_proj"):
        return values
    n_heads = config.num_attention_heads if module == "q_proj" else config.num_key_value_heads
    halves = values.reshape(n_heads, 2, config.head_dim // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))


def llama3_factors(config: PreTrainedConfig) -> Any:
    """What divides each pair's frequency (Llama 3.1; the wavelength decides)."""
    rope = config.rope_parameters
    pairs = np.arange(0, config.head_dim, 2) / config.head_dim
    turns = rope["original_max_position_embeddings"] / (2 * np.pi * rope["rope_theta"] ** pairs)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / rope["factor"] + smooth)).astype(np.float32)


if __name__ == "__main__":
    main()
