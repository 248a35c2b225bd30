"""Which tensors the checkpoints of a family have, by config.json's `model_type`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import feed_forward, recurrent
from .attention import Config, Shapes, attention, fused, inside, latent, with_sinks
from .feed_forward import NUMBERED, experts, gated

Part = Callable[[Config, int], Shapes]  # of a layer, by its number
TWO = ("input_layernorm", "post_attention_layernorm")
FOUR = (*TWO, "pre_feedforward_layernorm", "post_feedforward_layernorm")


@dataclass(frozen=True)
class Decoder:
    """Layers that are alike but for what depends on their number, between two matrices."""

    mixer: Part = attention
    feed_forward: Part = gated
    norms: tuple[str, ...] = TWO
    last_norm: str = "norm"

    def __call__(self, c: Config) -> Shapes:
        n, n_vocab = c["hidden_size"], c["vocab_size"]
        shapes: Shapes = {"model.embed_tokens.weight": (n_vocab, n)}
        for i in range(c["num_hidden_layers"]):
            parts: Shapes = {f"{norm}.weight": (n,) for norm in self.norms}
            parts |= self.mixer(c, i) | self.feed_forward(c, i)
            shapes |= inside(f"model.layers.{i}", parts)
        shapes[f"model.{self.last_norm}.weight"] = (n,)
        if not c.get("tie_word_embeddings"):
            shapes["lm_head.weight"] = (n_vocab, n)
        return shapes


def gpt2(c: Config) -> Shapes:
    """Return the tensors of GPT-2: everything has a bias, matrices have inputs as rows."""
    n = c["n_embd"]
    matrices = {"attn.c_attn": (n, 3 * n), "attn.c_proj": (n, n), "mlp.c_fc": (n, 4 * n),
                "mlp.c_proj": (4 * n, n)}  # fmt: skip
    layer: Shapes = {f"{name}.weight": shape for name, shape in matrices.items()}
    layer |= {f"{name}.bias": shape[1:] for name, shape in matrices.items()}
    layer |= {f"{norm}.{part}": (n,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
    shapes: Shapes = {"wte.weight": (c["vocab_size"], n), "wpe.weight": (c["n_positions"], n)}
    for i in range(c["num_hidden_layers"]):
        shapes |= inside(f"h.{i}", layer)
    return inside("transformer", shapes | {"ln_f.weight": (n,), "ln_f.bias": (n,)})


QKV = partial(attention, biases="qkv")
EACH = partial(attention, norms="each")
ALL = partial(attention, norms="all")
MIXTRAL = partial(experts, block="block_sparse_moe", parts=NUMBERED)
CHOSEN = partial(experts, has_bias=True)

FAMILIES: dict[str, Callable[[Config], Shapes]] = {
    "llama": Decoder(),
    "mixtral": Decoder(feed_forward=MIXTRAL),
    "llama4_text": Decoder(feed_forward=feed_forward.llama4),
    "ministral3": Decoder(),
    "qwen2": Decoder(QKV),
    "qwen2_moe": Decoder(QKV, experts),
    "qwen3": Decoder(EACH),
    "qwen3_moe": Decoder(EACH, experts),
    "qwen3_next": Decoder(recurrent.qwen3_next, experts),
    "qwen3_5_text": Decoder(recurrent.qwen3_5),
    "qwen3_5_moe_text": Decoder(recurrent.qwen3_5, experts),
    "gemma": Decoder(),
    "gemma2": Decoder(norms=FOUR),
    "gemma3_text": Decoder(EACH, norms=FOUR),
    "deepseek": Decoder(feed_forward=experts),
    "deepseek_v2": Decoder(latent, experts),
    "deepseek_v3": Decoder(latent, CHOSEN),
    "glm4_moe_lite": Decoder(latent, CHOSEN),
    "kimi_linear": Decoder(recurrent.kimi_linear, partial(MIXTRAL, has_bias=True)),
    "minicpm": Decoder(),
    "minicpm3": Decoder(latent),
    "gpt2": gpt2,
    "phi3": Decoder(fused, feed_forward.fused),
    "gpt_oss": Decoder(with_sinks, feed_forward.gpt_oss),
    "smollm3": Decoder(),
    "olmo2": Decoder(ALL, norms=FOUR[1::2]),
    "olmo3": Decoder(ALL, norms=FOUR[1::2]),
    "olmoe": Decoder(ALL, experts),
    "glm4": Decoder(
        QKV, feed_forward.fused, (*TWO, "post_self_attn_layernorm", "post_mlp_layernorm")
    ),
    "glm4_moe": Decoder(partial(QKV, norms="each"), CHOSEN),
    "granite": Decoder(),
    "granitemoe": Decoder(feed_forward=feed_forward.granite),
    "granitemoehybrid": Decoder(recurrent.granite_hybrid, feed_forward.granite),
    "lfm2": Decoder(
        recurrent.lfm2, feed_forward.lfm2, ("operator_norm", "ffn_norm"), "embedding_norm"
    ),
}


def tensors_of(c: Config) -> Shapes:
    """Return names and shapes of all tensors of a checkpoint."""
    return FAMILIES[c["model_type"]](c)
