"""A GGUF file with random weights in the shape of a known model, to measure its speed.

    python bench/make_model.py PRESET OUT.gguf [--type q4_k_m] [--layers N]

Presets: qwen3-0.6b, qwen3-4b, qwen3-30b-a3b, gemma3-1b, deepseek-v2-lite, gpt-oss-20b, qwen3-next.
Metadata and names are those of a converted checkpoint, so that llama.cpp runs it too. The
vocabulary is bytes and unused tokens. Fewer layers make large models fit.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ggjit.gguf import GGMLType
from ggjit_convert.conversion import Conversion
from ggjit_convert.keys import Keys
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.plan import Planned
from ggjit_convert.sources import Checkpoint

POOL = 1 << 22  # different values
Shapes = dict[str, tuple[int, ...]]


def main() -> None:
    """Read the command line and write the file."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", default="q4_k_m")
    parser.add_argument("--layers", type=int)
    args = parser.parse_args()
    config = dict(PRESETS[args.preset])
    if args.layers:
        config["num_hidden_layers"] = args.layers
    checkpoint = Checkpoint(Path(args.preset), config, {
        name: Random(name, shape) for name, shape in shapes_of(config).items()
    })  # fmt: skip
    Conversion.of(Origin(checkpoint), args.type).write(args.out, True, None)


class Origin(FromCheckpoint):
    """A checkpoint of no files, with a vocabulary of bytes."""

    def keys(self, plan: list[Planned] | None = None) -> Keys:
        keys = Keys(self.family.arch)
        self.family.write_keys(keys)
        keys.general |= vocabulary(self.tensors["token_embd.weight"].shape[0])
        return keys


@dataclass(frozen=True, eq=False)
class Random:
    """An `Array` of normal numbers that keep activations' size; vectors are ones."""

    name: str
    shape: tuple[int, ...]
    type: GGMLType = GGMLType.BF16

    def rows(self, start: int, stop: int) -> Any:
        if len(self.shape) == 1:
            return np.ones(stop - start, np.float32)
        n = (stop - start) * int(np.prod(self.shape[1:]))
        at = hash((self.name, start)) % POOL
        values = np.take(pool(), np.arange(at, at + n), mode="wrap")
        return values.reshape(stop - start, *self.shape[1:]) / np.float32(self.shape[-1] ** 0.5)

    def blocks(self, start: int, stop: int) -> Any:
        bits = self.rows(start, stop).view(np.uint32) >> 16
        return bits.astype(np.uint16).view(np.uint8)


@cache
def pool() -> Any:
    return np.random.default_rng(0).standard_normal(POOL, np.float32)


def vocabulary(n: int) -> dict[str, Any]:
    """Return a byte-level vocabulary: one token a byte, one merge, an end token, unused ones."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    tokens = [chr(b) for b in printable] + [chr(256 + i) for i, _ in enumerate(others)]
    tokens += ["th", "<|end|>"]
    tokens += [f"<|unused_{i}|>" for i in range(n - len(tokens))]
    key = "tokenizer.ggml."
    return {
        key + "model": "gpt2", key + "pre": "gpt-2", key + "tokens": tokens,
        key + "token_type": [1] * 257 + [3] + [5] * (n - 258), key + "merges": ["t h"],
        key + "bos_token_id": 257, key + "eos_token_id": 257, key + "add_bos_token": False,
    }  # fmt: skip


# -- shapes, by the names of checkpoints ---------------------------------------------------------


def shapes_of(c: dict[str, Any]) -> Shapes:
    """Return the tensors of a model."""
    n, n_vocab = c["hidden_size"], c["vocab_size"]
    shapes: Shapes = {"model.embed_tokens.weight": (n_vocab, n), "model.norm.weight": (n,)}
    if not c.get("tie_word_embeddings"):
        shapes["lm_head.weight"] = (n_vocab, n)
    for i in range(c["num_hidden_layers"]):
        parts = {"input_layernorm.weight": (n,), "post_attention_layernorm.weight": (n,)}
        parts |= mixer(c, i) | feed_forward(c, i)
        shapes |= {f"model.layers.{i}.{part}": shape for part, shape in parts.items()}
    return shapes


def mixer(c: dict[str, Any], i: int) -> Shapes:
    """Return what looks at other tokens."""
    kind, n = c["model_type"], c["hidden_size"]
    if kind == "deepseek_v2":
        return latent(c)
    if kind == "qwen3_next" and (i + 1) % 4:
        return delta_net(c)
    heads, kv, dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    q = 2 * heads * dim if kind == "qwen3_next" else heads * dim
    shapes: Shapes = {
        "q_proj.weight": (q, n), "k_proj.weight": (kv * dim, n),
        "v_proj.weight": (kv * dim, n), "o_proj.weight": (n, heads * dim),
    }  # fmt: skip
    if kind == "gpt_oss":
        biases = {f"{part}_proj.bias": (shapes[f"{part}_proj.weight"][0],) for part in "qkvo"}
        shapes |= biases | {"sinks": (heads,)}
    else:
        shapes |= {"q_norm.weight": (dim,), "k_norm.weight": (dim,)}
    return {f"self_attn.{part}": shape for part, shape in shapes.items()}


def latent(c: dict[str, Any]) -> Shapes:
    n, heads, rank = c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    k, rot, v = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    return {
        "self_attn.q_proj.weight": (heads * (k + rot), n),
        "self_attn.kv_a_proj_with_mqa.weight": (rank + rot, n),
        "self_attn.kv_a_layernorm.weight": (rank,),
        "self_attn.kv_b_proj.weight": (heads * (k + v), rank),
        "self_attn.o_proj.weight": (n, heads * v),
    }


def delta_net(c: dict[str, Any]) -> Shapes:
    n, n_k, n_v = c["hidden_size"], c["linear_num_key_heads"], c["linear_num_value_heads"]
    keys, values = n_k * c["linear_key_head_dim"], n_v * c["linear_value_head_dim"]
    taps, mixed = c["linear_conv_kernel_dim"], 2 * keys + values
    return {
        "linear_attn.in_proj_qkvz.weight": (mixed + values, n),
        "linear_attn.in_proj_ba.weight": (2 * n_v, n),
        "linear_attn.conv1d.weight": (mixed, 1, taps),
        "linear_attn.A_log": (n_v,),
        "linear_attn.dt_bias": (n_v,),
        "linear_attn.norm.weight": (c["linear_value_head_dim"],),
        "linear_attn.out_proj.weight": (n, values),
    }


def feed_forward(c: dict[str, Any], i: int) -> Shapes:
    kind, n = c["model_type"], c["hidden_size"]
    if kind == "gpt_oss":
        e, ff = c["num_local_experts"], c["intermediate_size"]
        stacks = {"gate_up_proj": (e, n, 2 * ff), "gate_up_proj_bias": (e, 2 * ff),
                  "down_proj": (e, ff, n), "down_proj_bias": (e, n)}  # fmt: skip
        router = {"mlp.router.weight": (e, n), "mlp.router.bias": (e,)}
        return router | {f"mlp.experts.{part}": shape for part, shape in stacks.items()}
    n_experts = c.get("num_experts", c.get("n_routed_experts", 0))
    if not n_experts or i < c.get("first_k_dense_replace", 0):
        norms = {f"{at}_feedforward_layernorm.weight": (n,) for at in ("pre", "post")}
        return gated("mlp", c["intermediate_size"], n) | (norms if "gemma3" in kind else {})
    ff = c["moe_intermediate_size"]
    shapes: Shapes = {"mlp.gate.weight": (n_experts, n)}
    for e in range(n_experts):
        shapes |= gated(f"mlp.experts.{e}", ff, n)
    if kind == "deepseek_v2":
        shapes |= gated("mlp.shared_experts", c["n_shared_experts"] * ff, n)
    if kind == "qwen3_next":
        shapes |= gated("mlp.shared_expert", c["shared_expert_intermediate_size"], n)
        shapes["mlp.shared_expert_gate.weight"] = (1, n)
    return shapes


def gated(name: str, ff: int, n: int) -> Shapes:
    return {f"{name}.gate_proj.weight": (ff, n), f"{name}.up_proj.weight": (ff, n),
            f"{name}.down_proj.weight": (n, ff)}  # fmt: skip


QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 151_936,
    "head_dim": 128, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "max_position_embeddings": 40_960,
    "num_key_value_heads": 8, "tie_word_embeddings": True,
}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "qwen3-0.6b": QWEN3 | {
        "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
        "num_attention_heads": 16,
    },
    "qwen3-4b": QWEN3 | {
        "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
        "num_attention_heads": 32,
    },
    "qwen3-30b-a3b": QWEN3 | {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 2048,
        "intermediate_size": 6144, "num_hidden_layers": 48, "num_attention_heads": 32,
        "num_key_value_heads": 4, "num_experts": 128, "num_experts_per_tok": 8,
        "moe_intermediate_size": 768, "tie_word_embeddings": False,
    },
    "gemma3-1b": {
        "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_size": 1152,
        "intermediate_size": 6912, "num_hidden_layers": 26, "num_attention_heads": 4,
        "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262_144, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 32_768, "sliding_window": 512, "tie_word_embeddings": True,
        "query_pre_attn_scalar": 256,
    },
    "deepseek-v2-lite": {
        "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2",
        "hidden_size": 2048, "intermediate_size": 10_944, "num_hidden_layers": 27,
        "num_attention_heads": 16, "num_key_value_heads": 16, "kv_lora_rank": 512,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 102_400,
        "n_routed_experts": 64, "num_experts_per_tok": 6, "n_shared_experts": 2,
        "moe_intermediate_size": 1408, "first_k_dense_replace": 1, "routed_scaling_factor": 1.0,
        "rms_norm_eps": 1e-6, "max_position_embeddings": 163_840, "rope_theta": 10_000.0,
    },
    "gpt-oss-20b": {
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_size": 2880,
        "intermediate_size": 2880, "num_hidden_layers": 24, "num_attention_heads": 64,
        "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 201_088, "rms_norm_eps": 1e-5,
        "num_local_experts": 32, "num_experts_per_tok": 4, "sliding_window": 128,
        "max_position_embeddings": 131_072, "rope_theta": 150_000.0,
    },
    "qwen3-next": {
        "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next",
        "hidden_size": 2048, "intermediate_size": 5120, "num_hidden_layers": 48,
        "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256,
        "vocab_size": 151_936, "num_experts": 512, "num_experts_per_tok": 10,
        "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512,
        "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
        "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 262_144, "rope_theta": 1e7,
    },
}  # fmt: skip


if __name__ == "__main__":
    main()
