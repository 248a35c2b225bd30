"""Makes mxfp4/: a tiny gpt-oss with experts in MXFP4, and what llama.cpp's converter makes of it.

Run by hand, never by a test, in an environment with torch, gguf and llama.cpp's converter (its
folder, which holds `conversion`, is the argument; llama.cpp of October 2026 was used):

    python tests/convert/make_mxfp4_golden.py LLAMA_CPP
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from checkpoint_files import write

HERE = Path(__file__).parent
N_EXPERTS, N_EMBD, N_FF, N_VOCAB, N_HEADS, HEAD_DIM, N_KV_HEADS = 3, 32, 64, 29, 4, 8, 2


def config() -> dict:
    config = json.loads((HERE / "data" / "gptoss_1_of_3" / "config.json").read_text())
    return config | {
        "hidden_size": N_EMBD, "intermediate_size": N_FF, "num_hidden_layers": 1,
        "num_attention_heads": N_HEADS, "num_key_value_heads": N_KV_HEADS, "head_dim": HEAD_DIM,
        "vocab_size": N_VOCAB, "num_local_experts": N_EXPERTS, "layer_types": ["full_attention"],
        "quantization_config": {"quant_method": "mxfp4"},
    }  # fmt: skip


def tensors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {
        "input_layernorm.weight": [N_EMBD], "post_attention_layernorm.weight": [N_EMBD],
        "self_attn.sinks": [N_HEADS], "mlp.router.weight": [N_EXPERTS, N_EMBD],
        "mlp.router.bias": [N_EXPERTS], "mlp.experts.gate_up_proj_bias": [N_EXPERTS, 2 * N_FF],
        "mlp.experts.down_proj_bias": [N_EXPERTS, N_EMBD],
    }  # fmt: skip
    n_q, n_kv = N_HEADS * HEAD_DIM, N_KV_HEADS * HEAD_DIM
    for name, n_out, n_in in (("q", n_q, N_EMBD), ("k", n_kv, N_EMBD), ("v", n_kv, N_EMBD),
                              ("o", N_EMBD, n_q)):  # fmt: skip
        shapes[f"self_attn.{name}_proj.weight"] = [n_out, n_in]
        shapes[f"self_attn.{name}_proj.bias"] = [n_out]
    all_of = {f"model.layers.0.{name}": shape for name, shape in shapes.items()}
    all_of |= {"model.embed_tokens.weight": [N_VOCAB, N_EMBD], "lm_head.weight": [N_VOCAB, N_EMBD]}
    out = {name: rng.normal(size=shape).astype(np.float16) for name, shape in all_of.items()}
    out["model.norm.weight"] = np.ones(N_EMBD, np.float16)
    for name, n_out, n_in in (("gate_up", 2 * N_FF, N_EMBD), ("down", N_EMBD, N_FF)):
        shape, base = (N_EXPERTS, n_out, n_in // 32), f"model.layers.0.mlp.experts.{name}_proj"
        out[f"{base}_blocks"] = rng.integers(0, 256, (*shape, 16)).astype(np.uint8)
        out[f"{base}_scales"] = rng.integers(118, 124, shape).astype(np.uint8)
    return out


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    import conversion
    import gguf

    files = {"config__json": config(), "model__safetensors": tensors(np.random.default_rng(7))}
    folder = write(HERE / "mxfp4", **files)
    model = conversion.get_model_class("GptOssForCausalLM")
    model.set_vocab = lambda self: None
    path = folder / "expected.gguf"
    model(folder, gguf.LlamaFileType.MOSTLY_F16, path, use_temp_file=False).write()


if __name__ == "__main__":
    main()
