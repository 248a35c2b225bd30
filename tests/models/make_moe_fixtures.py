"""Makes the files in data/ of models with experts or a latent cache, as make_fixtures.py does.

Run by hand, never by a test, in an environment with torch, transformers, gguf and llama.cpp's
converter (its folder, which holds `conversion`, is the argument):

    python tests/models/make_moe_fixtures.py LLAMA_CPP [NAME...]

The files are what the converter writes (without a vocabulary), with float32 tensors. Made with
torch 2.13.0, transformers 5.24.0, gguf 0.19.0 and llama.cpp of October 2026.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from make_fixtures import DATA, N_GREEDY, N_TOKENS, logits_of, randomize
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

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
}  # fmt: skip


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        make(name, list(MODELS).index(name) + 100, dict(MODELS[name]))


def make(name: str, seed: int, settings: dict[str, Any]) -> None:
    n_tokens, kind = settings.pop("n_tokens", N_TOKENS), settings.pop("model_type")
    config = AutoConfig.for_model(kind, **COMMON | settings)
    model = AutoModelForCausalLM.from_config(
        config, attn_implementation="eager", experts_implementation="eager", dtype=torch.float32
    ).eval()
    randomize(model, torch.Generator().manual_seed(seed))
    refine(model, torch.Generator().manual_seed(seed))
    ids = np.random.default_rng(seed).integers(0, config.vocab_size, n_tokens)
    logits, greedy = logits_of(model, ids), ids.tolist()
    for _ in range(N_GREEDY):
        greedy.append(int(logits_of(model, greedy)[-1].argmax()))
    np.savez(
        DATA / f"{name}.npz", ids=ids.astype(np.int32), logits=logits,
        greedy=np.array(greedy[n_tokens:], np.int32),
    )  # fmt: skip
    path = DATA / f"{name}.gguf"
    convert(model, path)
    print(name, f"{logits.std():.3f}", path.stat().st_size)


def refine(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Scale stacked matrices by their width, and let biases that choose experts matter."""
    for parameter in model.parameters():
        if parameter.ndim == 3:
            parameter.data *= 3.0 / parameter.shape[-1] ** 0.5
    for name, values in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            values.copy_(0.3 * torch.randn(values.shape, generator=generator))


def convert(model: PreTrainedModel, path: Path) -> None:
    """Write what llama.cpp's converter makes of a checkpoint."""
    import conversion
    import gguf

    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        base = conversion.ModelBase
        hparams = base.load_hparams(Path(folder), False)
        kind = conversion.get_model_class(hparams["architectures"][0])
        kind.set_vocab = lambda self: None
        writer = kind(Path(folder), gguf.LlamaFileType.ALL_F32, path, use_temp_file=False)
        writer.write()


if __name__ == "__main__":
    main()
