"""DeepSeek-V2, V3, R1, Kimi-K2: multi-head latent attention (arXiv:2405.04434, arXiv:2412.19437).

Keys and values of all heads come from one latent vector a token; the cache holds it and a rotary
key that all heads share. Heads' matrices are taken to the other side of the products with it
("absorbed"): `attn_k_b` brings queries to the latent space, `attn_v_b` brings back what is found
there. Files made before these two have them in one, `attn_kv_b`, a head's keys above its values.
llama.cpp: src/models/deepseek2.cpp.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..graph import Buffer, Graph, RopeSpec, Weights
from .config import Config
from .decoder import decoder
from .mixture import dense_then_experts
from .registry import register
from .rope import mscale, rope

N_ROT = "rope.dimension_count"
LATENT_EPS = 1e-6  # of the norms of narrow layers, whatever epsilon a file names for the others


@register("deepseek2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    c.leave("attention.head_count_kv")  # as many as heads, or 1: files differ
    spec, sharper = rope(c, interleaved=True), 1.0
    # YaRN sharpens all scores, instead of the rotary part's; files have a tenth of the multiplier
    if multiplier := 10 * c.number("rope.scaling.yarn_log_multiplier", 0.0, low=0.0):
        spec = replace(spec, magnitude=1.0)
        sharper = mscale(c.number("rope.scaling.factor", 1.0), multiplier) ** 2
    attend = partial(attention, g, c, spec, sharper)
    return decoder(g, c, w, attend, partial(dense_then_experts, g, c))


def attention(
    g: Graph, c: Config, rope: RopeSpec | None, sharper: float, blk: Weights, h: Buffer, i: int
) -> Buffer:
    """Latent attention: one key for all heads, the latent vector with the rotary key behind it.

    Without `rope` what would turn is used as it is.
    """
    n, latent, n_rot = c.n_head, c.integer("attention.kv_lora_rank"), c.integer(N_ROT)
    k_dim = c.integer("attention.key_length_mla", c.head_dim, low=n_rot + 1)
    v_dim = c.integer("attention.value_length_mla", c.value_dim)
    q = queries(g, c, blk, h, n * k_dim)
    q_rot = g.columns(q, n, k_dim - n_rot, n_rot)
    blk.attn_kv_a_mqa.expect_shape(latent + n_rot, c.n_embd)
    kv = g.linear(h, blk.attn_kv_a_mqa)
    k = g.rms_norm(g.columns(kv, 1, 0, latent), blk.attn_kv_a_norm, LATENT_EPS)
    k_rot = g.columns(kv, 1, latent, n_rot)
    if rope:
        q_rot, k_rot = g.rope(q_rot, n_rot, rope), g.rope(k_rot, n_rot, rope)
    a = g.latent_attention(
        g.join(absorbed(g, blk, q, n, k_dim - n_rot, v_dim, latent), q_rot, n), g.join(k, k_rot, 1),
        layer=i, n_heads=n, v_dim=latent, scale=sharper * k_dim**-0.5,
    )  # fmt: skip
    blk.attn_output.expect_shape(c.n_embd, n * v_dim)
    return g.linear(values(g, blk, a, n, k_dim - n_rot, v_dim, latent), blk.attn_output)


def queries(g: Graph, c: Config, blk: Weights, h: Buffer, width: int) -> Buffer:
    """All heads' queries, through a narrow layer if there is one."""
    if not blk.has("attn_q_a"):
        blk.attn_q.expect_shape(width, c.n_embd)
        return g.linear(h, blk.attn_q)
    rank = c.integer("attention.q_lora_rank")
    blk.attn_q_a.expect_shape(rank, c.n_embd)
    blk.attn_q_b.expect_shape(width, rank)
    q = g.rms_norm(g.linear(h, blk.attn_q_a), blk.attn_q_a_norm, LATENT_EPS)
    return g.linear(q, blk.attn_q_b)


def absorbed(
    g: Graph, blk: Weights, q: Buffer, n: int, k_dim: int, v_dim: int, latent: int
) -> Buffer:
    """Queries in the latent space. Shapes: of attn_k_b [n, latent, k_dim]."""
    if blk.has("attn_k_b"):
        blk.attn_k_b.expect_stack(n, latent, k_dim)
        return g.head_linear(q, blk.attn_k_b)
    blk.attn_kv_b.expect_shape(n * (k_dim + v_dim), latent)
    return g.head_linear(q, blk.attn_kv_b.of_heads(n, 0, k_dim), transposed=True)


def values(
    g: Graph, blk: Weights, a: Buffer, n: int, k_dim: int, v_dim: int, latent: int
) -> Buffer:
    """Values of what was found in the latent space. Shapes: of attn_v_b [n, v_dim, latent]."""
    if blk.has("attn_v_b"):
        blk.attn_v_b.expect_stack(n, v_dim, latent)
        return g.head_linear(a, blk.attn_v_b)
    return g.head_linear(a, blk.attn_kv_b.of_heads(n, k_dim, v_dim))
