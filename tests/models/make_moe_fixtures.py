"""Makes the files in data/ that llama.cpp's converter writes, as make_fixtures.py makes others.

Run by hand, never by a test, in an environment with torch, transformers, gguf and llama.cpp's
converter (its folder, which holds `conversion`, is the argument):

    python tests/models/make_moe_fixtures.py LLAMA_CPP [NAME...]

The files are what the converter writes (without a vocabulary), with float16 matrices. Made with
torch 2.13.0, transformers 5.24.0, gguf 0.19.0 and llama.cpp of October 2026.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from make_fixtures import DATA, N_GREEDY, N_TOKENS, logits_of, randomize
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, DeepseekV2Config, PreTrainedModel
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe

COMMON = {"num_hidden_layers": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}

MODELS: dict[str, dict[str, Any]] = {
    # Five experts, two of them chosen; three query heads to a key head.
    "mixtral_2_of_5": {
        "model_type": "mixtral", "hidden_size": 18, "intermediate_size": 11, "vocab_size": 37,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4,
        "num_local_experts": 5, "num_experts_per_tok": 2,
    },
    # A single expert a token: its weight is always 1.
    "mixtral_1_of_3": {
        "model_type": "mixtral", "hidden_size": 20, "intermediate_size": 17, "vocab_size": 31,
        "num_attention_heads": 5, "num_key_value_heads": 5, "num_local_experts": 3,
        "num_experts_per_tok": 1, "rope_parameters": ROPE | {"rope_theta": 500.0},
    },
    # A shared expert wider than the others; weights are not normalized.
    "qwen2moe_3_of_5": {
        "model_type": "qwen2_moe", "hidden_size": 20, "intermediate_size": 24, "vocab_size": 37,
        "num_attention_heads": 5, "num_key_value_heads": 1, "num_experts": 5,
        "num_experts_per_tok": 3, "moe_intermediate_size": 7,
        "shared_expert_intermediate_size": 13, "decoder_sparse_step": 1,
    },
    "qwen2moe_2_of_7": {
        "model_type": "qwen2_moe", "hidden_size": 24, "intermediate_size": 10, "vocab_size": 29,
        "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 7,
        "num_experts_per_tok": 2, "moe_intermediate_size": 5,
        "shared_expert_intermediate_size": 10, "decoder_sparse_step": 1,
    },
    # Q and K are normalized over all heads.
    "olmoe_3_of_5": {
        "model_type": "olmoe", "hidden_size": 18, "intermediate_size": 7, "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 1, "num_experts": 5,
        "num_experts_per_tok": 3,
    },
    "olmoe_1_of_3": {
        "model_type": "olmoe", "hidden_size": 20, "intermediate_size": 9, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 5, "num_experts": 3,
        "num_experts_per_tok": 1, "rope_parameters": ROPE | {"rope_theta": 700.0},
    },
    # Each head of Q and K is normalized; heads are not width / count.
    "qwen3_wide_heads": {
        "model_type": "qwen3", "hidden_size": 18, "intermediate_size": 23, "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 10,
    },
    "qwen3_narrow_heads": {
        "model_type": "qwen3", "hidden_size": 35, "intermediate_size": 14, "vocab_size": 29,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4,
        "tie_word_embeddings": True, "rope_parameters": ROPE | {"rope_theta": 700.0},
    },
    "qwen3moe_3_of_5": {
        "model_type": "qwen3_moe", "hidden_size": 18, "intermediate_size": 24, "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8, "num_experts": 5,
        "num_experts_per_tok": 3, "moe_intermediate_size": 7, "norm_topk_prob": True,
    },
    "qwen3moe_1_of_3": {
        "model_type": "qwen3_moe", "hidden_size": 20, "intermediate_size": 10, "vocab_size": 29,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "num_experts": 3,
        "num_experts_per_tok": 1, "moe_intermediate_size": 9, "norm_topk_prob": True,
        "rope_parameters": ROPE | {"rope_theta": 500.0},
    },
    # Two dense layers first; shared experts side by side.
    "deepseek_2_of_5": {
        "model_type": "deepseek", "hidden_size": 18, "intermediate_size": 13, "vocab_size": 31,
        "num_attention_heads": 3, "num_key_value_heads": 3, "num_hidden_layers": 3,
        "n_routed_experts": 5, "num_experts_per_tok": 2, "n_shared_experts": 3,
        "moe_intermediate_size": 4, "first_k_dense_replace": 2, "rope_theta": 10000.0,
    },
    "deepseek_3_of_7": {
        "model_type": "deepseek", "hidden_size": 20, "intermediate_size": 11, "vocab_size": 29,
        "num_attention_heads": 5, "num_key_value_heads": 1, "n_routed_experts": 7,
        "num_experts_per_tok": 3, "n_shared_experts": 1, "moe_intermediate_size": 5,
        "first_k_dense_replace": 1, "rope_theta": 500.0,
    },
    # A dense layer first; three groups of two experts, their best counts; no narrow queries.
    "deepseek2_v2": {
        "model_type": "deepseek_v2", "hidden_size": 21, "intermediate_size": 14, "vocab_size": 37,
        "num_attention_heads": 3, "num_key_value_heads": 3, "kv_lora_rank": 10,
        "q_lora_rank": None, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5,
        "n_routed_experts": 6, "num_experts_per_tok": 3, "n_shared_experts": 1, "n_group": 3,
        "topk_group": 2, "topk_method": "group_limited_greedy", "moe_intermediate_size": 7,
        "first_k_dense_replace": 1, "routed_scaling_factor": 2.5, "rms_norm_eps": 1e-6,
        "num_hidden_layers": 3, "head_dim": 4,
    },
    # Narrow queries; a bias chooses; two groups count as much as their two best.
    "deepseek2_v3": {
        "model_type": "deepseek_v3", "hidden_size": 20, "intermediate_size": 12, "vocab_size": 41,
        "num_attention_heads": 5, "num_key_value_heads": 5, "kv_lora_rank": 9, "q_lora_rank": 13,
        "qk_nope_head_dim": 5, "qk_rope_head_dim": 6, "v_head_dim": 8, "n_routed_experts": 8,
        "num_experts_per_tok": 3, "n_shared_experts": 2, "n_group": 4, "topk_group": 3,
        "moe_intermediate_size": 5, "first_k_dense_replace": 0, "routed_scaling_factor": 1.75,
        "norm_topk_prob": True, "rms_norm_eps": 1e-6, "head_dim": 6, "scoring_func": "sigmoid",
    },
}  # fmt: skip


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        make(name, list(MODELS).index(name) + 100, dict(MODELS[name]))


def make(name: str, seed: int, settings: dict[str, Any]) -> None:
    n_tokens, kind = settings.pop("n_tokens", N_TOKENS), settings.pop("model_type")
    make_model = deepseek if kind == "deepseek" else causal_lm
    model = make_model(kind, COMMON | settings).eval()
    randomize(model, torch.Generator().manual_seed(seed))
    refine(model, torch.Generator().manual_seed(seed))
    ids = np.random.default_rng(seed).integers(0, settings["vocab_size"], n_tokens)
    logits, greedy = logits_of(model, ids), ids.tolist()
    for _ in range(N_GREEDY):
        greedy.append(int(logits_of(model, greedy)[-1].argmax()))
    np.savez(
        DATA / f"{name}.npz", ids=ids.astype(np.int32), logits=logits,
        greedy=np.array(greedy[n_tokens:], np.int32),
    )  # fmt: skip
    path = DATA / f"{name}.gguf"
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        if kind == "deepseek":
            as_deepseek(Path(folder), settings)
        convert(Path(folder), path)
    print(name, f"{logits.std():.3f}", path.stat().st_size)


def causal_lm(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    return AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **settings), attn_implementation="eager",
        experts_implementation="eager", dtype=torch.float32,
    )  # fmt: skip


def deepseek(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    """Llama with the experts of DeepSeek-V2, which are those of the first DeepSeek."""
    rope = ROPE | {"rope_theta": settings["rope_theta"]}
    model = causal_lm("llama", settings | {"rope_parameters": rope})
    config = DeepseekV2Config(**settings | {"topk_method": "greedy", "routed_scaling_factor": 1.0})
    config._experts_implementation = "eager"
    for layer in model.model.layers[settings["first_k_dense_replace"] :]:
        layer.mlp = DeepseekV2Moe(config)
    return model.float()


def as_deepseek(folder: Path, settings: dict[str, Any]) -> None:
    """Give a checkpoint the names of DeepseekForCausalLM, which transformers does not have."""
    config = json.loads((folder / "config.json").read_text())
    config |= COMMON | settings | {"architectures": ["DeepseekForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {}
    for name, values in load_file(folder / "model.safetensors").items():
        module, _, last = name.rpartition(".")
        if not module.endswith("experts"):
            tensors[name] = values
            continue
        parts = {"down_proj": values}
        if last == "gate_up_proj":
            parts = dict(zip(("gate_proj", "up_proj"), values.chunk(2, dim=1), strict=True))
        for part, stack in parts.items():
            for i, one in enumerate(stack):
                tensors[f"{module}.{i}.{part}.weight"] = one.contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def refine(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Scale stacked matrices by their width, and let biases that choose experts matter.

    Every number is one that float16 has.
    """
    for parameter in model.parameters():
        if parameter.ndim == 3:
            parameter.data *= 3.0 / parameter.shape[-1] ** 0.5
        parameter.data = parameter.data.half().float()
    for name, values in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            values.copy_(0.3 * torch.randn(values.shape, generator=generator))


def convert(folder: Path, path: Path) -> None:
    """Write what llama.cpp's converter makes of a checkpoint."""
    import conversion
    import gguf

    hparams = conversion.ModelBase.load_hparams(folder, False)
    kind = conversion.get_model_class(hparams["architectures"][0])
    kind.set_vocab = lambda self: None
    kind(folder, gguf.LlamaFileType.MOSTLY_F16, path, use_temp_file=False).write()


if __name__ == "__main__":
    main()
