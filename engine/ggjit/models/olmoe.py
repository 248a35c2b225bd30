"""OLMoE (arXiv:2409.02060): Llama's layers with experts, and Q and K normalized as whole rows.

Chosen weights are used as they are; rotary pairs are taken from the two halves of a head.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, RopeSpec, Weights
from .config import Config
from .llama import decoder
from .mixture import experts, routing
from .registry import register


@register("olmoe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    c.refuse("attention.clamp_kqv", "attention.sliding_window", "attention.scale")
    rope = c.rope(interleaved=False)
    return decoder(g, c, w, partial(attention, g, c, rope), partial(feed_forward, g, c))


def attention(g: Graph, c: Config, rope: RopeSpec, blk: Weights, h: Buffer, i: int) -> Buffer:
    blk.attn_q.expect_shape(c.n_head * c.head_dim, c.n_embd)
    blk.attn_k.expect_shape(c.n_kv_head * c.head_dim, c.n_embd)
    blk.attn_v.expect_shape(c.n_kv_head * c.value_dim, c.n_embd)
    blk.attn_output.expect_shape(c.n_embd, c.n_head * c.value_dim)
    q = g.rms_norm(g.linear(h, blk.attn_q), blk.attn_q_norm, c.norm_eps)
    k = g.rms_norm(g.linear(h, blk.attn_k), blk.attn_k_norm, c.norm_eps)
    a = g.attention(
        g.rope(q, c.head_dim, rope), g.rope(k, c.head_dim, rope), g.linear(h, blk.attn_v),
        layer=i, n_heads=c.n_head, n_kv_heads=c.n_kv_head, scale=c.head_dim**-0.5,
    )  # fmt: skip
    return g.linear(a, blk.attn_output)


def feed_forward(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    return experts(g, c, blk, h, routing(c))
