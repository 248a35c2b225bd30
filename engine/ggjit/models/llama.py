"""Llama 1 to 3, and what shares its shape: Mistral, Mixtral, Yi, SmolLM2 (arXiv:2302.13971).

GGUF stores Q and K rows so that rotary pairs are interleaved. With experts it is Mixtral
(arXiv:2401.04088): weights are the softmax over those chosen.
"""

from __future__ import annotations

from collections.abc import Callable

from ..graph import Buffer, Graph, RopeSpec, Weights
from . import mixture
from .config import Config
from .registry import register

FeedForward = Callable[[Graph, Config, Weights, Buffer], Buffer]


@register("llama")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    factors = w.rope_freqs.floats() if w.has("rope_freqs") else None
    rope = c.rope(interleaved=True, factors=factors)
    return decoder(g, c, w, rope, experts if c.n_expert else swiglu)


def decoder(
    g: Graph, c: Config, w: Weights, rope: RopeSpec, feed_forward: FeedForward
) -> Buffer:
    """All of it, for a way of rotating; biases are added where the file has them."""
    c.refuse("attention.sliding_window", "attention.scale", "logit_scale")
    w.token_embd.expect_columns(c.n_embd)
    x = g.embed(w.token_embd)
    for i in range(c.n_layer):
        x = layer(g, c, w.block(i), x, i, rope, feed_forward)
    x = g.rms_norm(g.select(x), w.output_norm, c.norm_eps)
    output = w.output if w.has("output") else w.token_embd
    output.expect_shape(w.token_embd.n_rows, c.n_embd)
    return g.linear(x, output)


def layer(
    g: Graph, c: Config, blk: Weights, x: Buffer, i: int, rope: RopeSpec, feed_forward: FeedForward
) -> Buffer:
    """One block: attention and feed-forward, each on a normalized copy, added to the stream."""
    blk.attn_q.expect_shape(c.n_head * c.head_dim, c.n_embd)
    blk.attn_k.expect_shape(c.n_kv_head * c.head_dim, c.n_embd)
    blk.attn_v.expect_shape(c.n_kv_head * c.value_dim, c.n_embd)
    blk.attn_output.expect_shape(c.n_embd, c.n_head * c.value_dim)
    h = g.rms_norm(x, blk.attn_norm, c.norm_eps)
    q, k, v = g.linear(h, blk.attn_q), g.linear(h, blk.attn_k), g.linear(h, blk.attn_v)
    a = g.attention(
        g.rope(q, c.head_dim, rope), g.rope(k, c.head_dim, rope), v,
        layer=i, n_heads=c.n_head, n_kv_heads=c.n_kv_head, scale=c.head_dim**-0.5,
    )  # fmt: skip
    x = g.add(x, g.linear(a, blk.attn_output))
    return g.add(x, feed_forward(g, c, blk, g.rms_norm(x, blk.ffn_norm, c.norm_eps)))


def swiglu(g: Graph, c: Config, blk: Weights, h: Buffer) -> Buffer:
    """The gated feed-forward layer."""
    blk.ffn_gate.expect_shape(c.n_ff, c.n_embd)
    blk.ffn_up.expect_shape(c.n_ff, c.n_embd)
    blk.ffn_down.expect_shape(c.n_embd, c.n_ff)
    ffn = g.silu_mul(g.linear(h, blk.ffn_gate), g.linear(h, blk.ffn_up))
    return g.linear(ffn, blk.ffn_down)


def experts(g: Graph, c: Config, blk: Weights, h: Buffer) -> Buffer:
    """A mixture of such layers."""
    return mixture.experts(g, c, blk, h, mixture.routing(c, normalize=True))
