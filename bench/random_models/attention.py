"""What looks at other tokens by their keys: names in a layer of a checkpoint, and shapes."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]  # config.json's content
Shapes = dict[str, tuple[int, ...]]


def attention(
    c: Config, i: int, biases: str = "", norms: str = "", gate: bool = False, out: str = "o_proj",
    norm_name: str = "norm",
) -> Shapes:  # fmt: skip
    """Return q, k, v and the output of all heads.

    `biases` are those of "qkvo" that have one, `norms` of q and k are those of "each" head or of
    "all" together; with `gate` queries have one of their own size.
    """
    n, dim, heads = c["hidden_size"], head_dim(c), c["num_attention_heads"]
    n_q, n_kv = heads * dim, c["num_key_value_heads"] * dim
    shapes: Shapes = {
        "q_proj.weight": (n_q * (1 + gate), n), "k_proj.weight": (n_kv, n),
        "v_proj.weight": (n_kv, n), f"{out}.weight": (n, n_q),
    }  # fmt: skip
    if c.get("attention_bias", True):
        shapes |= {f"{part}_proj.bias": shapes[f"{part}_proj.weight"][:1] for part in biases}
    if norms and c.get("use_qk_norm", True):
        for part, size in (("q", n_q), ("k", n_kv)):
            shapes[f"{part}_{norm_name}.weight"] = (size if norms == "all" else dim,)
    return inside("self_attn", shapes)


def with_sinks(c: Config, i: int) -> Shapes:
    """Return the attention of gpt-oss."""
    return attention(c, i, biases="qkvo") | {"self_attn.sinks": (c["num_attention_heads"],)}


def fused(c: Config, i: int) -> Shapes:
    """Return attention with q, k and v in one matrix."""
    n, dim, heads = c["hidden_size"], head_dim(c), c["num_attention_heads"]
    n_qkv = (heads + 2 * c["num_key_value_heads"]) * dim
    return inside("self_attn", {"qkv_proj.weight": (n_qkv, n), "o_proj.weight": (n, heads * dim)})


def latent(c: Config, i: int) -> Shapes:
    """Return attention to latent vectors, queries by way of one as well if they have a rank."""
    n, heads, rank = c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    k, rot, v = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    shapes: Shapes = {
        "kv_a_proj_with_mqa.weight": (rank + rot, n), "kv_a_layernorm.weight": (rank,),
        "kv_b_proj.weight": (heads * (k + v), rank), "o_proj.weight": (n, heads * v),
    }  # fmt: skip
    if q_rank := c.get("q_lora_rank"):
        shapes |= {"q_a_proj.weight": (q_rank, n), "q_a_layernorm.weight": (q_rank,),
                   "q_b_proj.weight": (heads * (k + rot), q_rank)}  # fmt: skip
    else:
        shapes["q_proj.weight"] = (heads * (k + rot), n)
    return inside("self_attn", shapes)


def head_dim(c: Config) -> int:
    """Return the size of a head, which some files leave out."""
    return int(c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"])


def inside(module: str, shapes: Shapes) -> Shapes:
    """Return the tensors of a module by the names that they have around it."""
    return {f"{module}.{name}": shape for name, shape in shapes.items()}
