"""Qwen 3 (arXiv:2505.09388): Llama's layers, with each head of Q and K normalized before it turns.

Heads may be wider or narrower than their share of a row; rotary pairs are taken from their halves.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, RopeSpec, Weights
from .config import Config
from .llama import decoder, swiglu
from .registry import register


@register("qwen3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    rope = c.rope(interleaved=False)
    return decoder(g, c, w, partial(attention, g, c, rope), partial(swiglu, g, c))


def attention(g: Graph, c: Config, rope: RopeSpec, blk: Weights, h: Buffer, i: int) -> Buffer:
    c.refuse("attention.sliding_window", "attention.scale")
    blk.attn_q.expect_shape(c.n_head * c.head_dim, c.n_embd)
    blk.attn_k.expect_shape(c.n_kv_head * c.head_dim, c.n_embd)
    blk.attn_v.expect_shape(c.n_kv_head * c.value_dim, c.n_embd)
    blk.attn_output.expect_shape(c.n_embd, c.n_head * c.value_dim)
    q = g.rms_norm(g.linear(h, blk.attn_q), blk.attn_q_norm, c.norm_eps, c.n_head)
    k = g.rms_norm(g.linear(h, blk.attn_k), blk.attn_k_norm, c.norm_eps, c.n_kv_head)
    a = g.attention(
        g.rope(q, c.head_dim, rope), g.rope(k, c.head_dim, rope), g.linear(h, blk.attn_v),
        layer=i, n_heads=c.n_head, n_kv_heads=c.n_kv_head, scale=c.head_dim**-0.5,
    )  # fmt: skip
    return g.linear(a, blk.attn_output)
