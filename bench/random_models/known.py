"""The shapes by architecture and name, and smaller ones made of them."""

from __future__ import annotations

from . import dense, hybrids, mixtures
from .attention import Config
from .feed_forward import COUNTS

TINY = "tiny"  # an architecture's first shape, small; tiny-NAME: another one
# What stands for a shape's own numbers in a small one: what is not there stays away.
SMALL: Config = {
    "hidden_size": 256, "n_embd": 256, "intermediate_size": 512, "intermediate_size_mlp": 512,
    "moe_intermediate_size": 128, "shared_expert_intermediate_size": 128,
    "shared_intermediate_size": 512, "num_attention_heads": 4, "n_head": 4,
    "num_key_value_heads": 2, "q_lora_rank": 128, "kv_lora_rank": 64, "num_experts": 32,
    "num_local_experts": 32, "n_routed_experts": 32, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "mamba_n_heads": 8, "sliding_window": 64, "vocab_size": 512,
}  # fmt: skip
SMALL_LAYERS = 6  # enough for every pattern of layers
LEAST_VOCAB = 258  # a token a byte, a merge, an end

SHAPES: dict[str, dict[str, Config]] = {}
for group in (dense.SHAPES, mixtures.SHAPES, hybrids.SHAPES):
    for arch, shapes in group.items():
        SHAPES.setdefault(arch, {}).update(shapes)


def config_of(
    arch: str, shape: str, n_layers: int | None = None, n_experts: int | None = None,
    n_vocab: int | None = None,
) -> Config:  # fmt: skip
    """Return the config.json of a shape, with other numbers if they are named.

    Raises: ValueError for a name that is not known, or a number that the shape cannot have.
    """
    if arch not in SHAPES:
        raise ValueError(f"architecture {arch!r} is none of {', '.join(SHAPES)}")
    is_small, name = shape.startswith(TINY), shape.removeprefix(TINY).removeprefix("-")
    name = name or next(iter(SHAPES[arch]))
    if name not in SHAPES[arch]:
        raise ValueError(f"shape {shape!r} of {arch} is none of {', '.join(SHAPES[arch])}, {TINY}")
    c = small(SHAPES[arch][name]) if is_small else dict(SHAPES[arch][name])
    if n_vocab is not None:
        if n_vocab < LEAST_VOCAB:
            raise ValueError(f"a vocabulary has {LEAST_VOCAB} tokens at least, not {n_vocab}")
        c["vocab_size"] = n_vocab
    if n_experts is not None:
        c = with_experts(c, n_experts)
    return cut(c, c.get("kept", c["num_hidden_layers"]) if n_layers is None else n_layers)


def small(c: Config) -> Config:
    """Return a shape with few and narrow layers; heads stay as wide as they are."""
    several = c.get("num_key_value_heads") != c.get("num_attention_heads")
    fixed = c.get("fixed", ())
    c = c | {name: value for name, value in SMALL.items() if c.get(name) and name not in fixed}
    if "num_key_value_heads" in c and not several:
        c["num_key_value_heads"] = c["num_attention_heads"]
    if linear := c.get("linear_attn_config"):
        c["linear_attn_config"] = linear | {"num_heads": 4}
    return c | {"kept": c.get("kept", min(SMALL_LAYERS, c["num_hidden_layers"]))}


def with_experts(c: Config, n: int) -> Config:
    """Return a shape with `n` experts in a layer, of which no more are chosen than can be."""
    name = next((name for name in COUNTS if c.get(name)), None)
    if name is None:
        raise ValueError("this shape has no experts")
    n_groups = c.get("n_group", 1)
    if n < 1 or n % n_groups:
        raise ValueError(f"{n} experts are no {n_groups} groups of the same size")
    most = n // n_groups * c.get("topk_group", 1) if n_groups > 1 else n
    chosen = "num_experts_per_tok" if "num_experts_per_tok" in c else "num_experts_per_token"
    return c | {name: n, chosen: min(most, c[chosen])}


def cut(c: Config, n: int) -> Config:
    """Return the first `n` layers of a shape."""
    whole = c["num_hidden_layers"]
    if not 0 < n <= whole:
        raise ValueError(f"this shape has {whole} layers, not {n}")
    lists = {k: v[:n] for k, v in c.items() if isinstance(v, list) and len(v) == whole}
    return c | lists | {"num_hidden_layers": n}
