"""What looks at other tokens through a state: names in a layer of a checkpoint, and shapes."""

from __future__ import annotations

from .attention import Config, Shapes, attention, inside, latent


def qwen3_next(c: Config, i: int) -> Shapes:
    """Return gated attention in every fourth layer, else a gated DeltaNet."""
    return gated_attention(c, i) if (i + 1) % 4 == 0 else delta_net(c, joined=True)


def qwen3_5(c: Config, i: int) -> Shapes:
    """Return the same with more and smaller matrices."""
    return gated_attention(c, i) if (i + 1) % 4 == 0 else delta_net(c, joined=False)


def gated_attention(c: Config, i: int) -> Shapes:
    return attention(c, i, norms="each", gate=True)


def delta_net(c: Config, joined: bool) -> Shapes:
    """Return a gated DeltaNet, its inputs `joined` into two matrices or in four."""
    n, n_k, n_v = c["hidden_size"], c["linear_num_key_heads"], c["linear_num_value_heads"]
    keys, values = n_k * c["linear_key_head_dim"], n_v * c["linear_value_head_dim"]
    mixed = 2 * keys + values
    rows = {"qkvz": mixed + values, "ba": 2 * n_v}
    if not joined:
        rows = {"qkv": mixed, "z": values, "b": n_v, "a": n_v}
    shapes: Shapes = {f"in_proj_{part}.weight": (size, n) for part, size in rows.items()}
    return inside("linear_attn", shapes | {
        "conv1d.weight": (mixed, 1, c["linear_conv_kernel_dim"]), "A_log": (n_v,),
        "dt_bias": (n_v,), "norm.weight": (c["linear_value_head_dim"],),
        "out_proj.weight": (n, values),
    })  # fmt: skip


def kimi_linear(c: Config, i: int) -> Shapes:
    """Return latent attention in some layers, else Kimi delta attention."""
    linear, n = c["linear_attn_config"], c["hidden_size"]
    if i + 1 in linear["full_attn_layers"]:
        return latent(c, i)
    dim, heads = linear["head_dim"], linear["num_heads"]
    size, taps = heads * dim, linear["short_conv_kernel_size"]
    shapes: Shapes = {f"{part}_proj.weight": (size, n) for part in "qkv"}
    shapes |= {f"{part}_conv1d.weight": (size, 1, taps) for part in "qkv"}
    shapes |= {f"{part}_a_proj.weight": (dim, n) for part in "fg"}
    shapes |= {f"{part}_b_proj.weight": (size, dim) for part in "fg"}
    return inside("self_attn", shapes | {
        "b_proj.weight": (heads, n), "A_log": (1, 1, heads, 1), "dt_bias": (size,),
        "o_norm.weight": (dim,), "o_proj.weight": (n, size),
    })  # fmt: skip


def granite_hybrid(c: Config, i: int) -> Shapes:
    """Return attention in some layers, else Mamba 2."""
    if c["layer_types"][i] == "attention":
        return attention(c, i)
    n, heads = c["hidden_size"], c["mamba_n_heads"]
    size = c["mamba_expand"] * n
    mixed = size + 2 * c["mamba_n_groups"] * c["mamba_d_state"]
    return inside("mamba", {
        "in_proj.weight": (size + mixed + heads, n), "conv1d.bias": (mixed,),
        "conv1d.weight": (mixed, 1, c["mamba_d_conv"]), "A_log": (heads,), "D": (heads,),
        "dt_bias": (heads,), "norm.weight": (size,), "out_proj.weight": (n, size),
    })  # fmt: skip


def lfm2(c: Config, i: int) -> Shapes:
    """Return attention in some layers, else a short convolution."""
    n = c["hidden_size"]
    if c["layer_types"][i] != "conv":
        return attention(c, i, norms="each", out="out_proj", norm_name="layernorm")
    return inside("conv", {"conv.weight": (n, 1, c["conv_L_cache"]), "in_proj.weight": (3 * n, n),
                           "out_proj.weight": (n, n)})  # fmt: skip
