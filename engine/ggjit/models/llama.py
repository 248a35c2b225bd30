"""Llama 1 to 3, and what shares its shape: Mistral, Mixtral, Yi, SmolLM2 (arXiv:2302.13971).

GGUF stores Q and K rows so that rotary pairs are interleaved. With experts it is Mixtral
(arXiv:2401.04088): weights are the softmax over those chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..graph import Buffer, Graph, RopeSpec, Weights
from . import mixture
from .config import Config
from .registry import register

# Part of a layer: makes, of the layer's tensors, its normalized input and its number, what is added
Part = Callable[[Weights, Buffer, int], Buffer]


@register("llama")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    factors = w.rope_freqs.floats() if w.has("rope_freqs") else None
    rope = c.rope(interleaved=True, factors=factors)
    feed_forward = partial(experts if c.n_expert else swiglu, g, c)
    return decoder(g, c, w, partial(attention, g, c, rope), feed_forward)


def decoder(
    g: Graph, c: Config, w: Weights, attention: Part, feed_forward: Part, ffn_norm: str = "ffn_norm"
) -> Buffer:
    """All of it, for an attention and a feed-forward layer."""
    w.token_embd.expect_columns(c.n_embd)
    x = g.embed(w.token_embd)
    for i in range(c.n_layer):
        blk = w.block(i)
        x = g.add(x, attention(blk, g.rms_norm(x, blk.attn_norm, c.norm_eps), i))
        x = g.add(x, feed_forward(blk, g.rms_norm(x, getattr(blk, ffn_norm), c.norm_eps), i))
    x = g.rms_norm(g.select(x), w.output_norm, c.norm_eps)
    output = w.output if w.has("output") else w.token_embd
    output.expect_shape(w.token_embd.n_rows, c.n_embd)
    return g.linear(x, output)


def attention(g: Graph, c: Config, rope: RopeSpec, blk: Weights, h: Buffer, i: int) -> Buffer:
    """Grouped-query attention to all before; biases are added where the file has them."""
    c.refuse("attention.sliding_window", "attention.scale", "logit_scale")
    blk.attn_q.expect_shape(c.n_head * c.head_dim, c.n_embd)
    blk.attn_k.expect_shape(c.n_kv_head * c.head_dim, c.n_embd)
    blk.attn_v.expect_shape(c.n_kv_head * c.value_dim, c.n_embd)
    blk.attn_output.expect_shape(c.n_embd, c.n_head * c.value_dim)
    q, k, v = g.linear(h, blk.attn_q), g.linear(h, blk.attn_k), g.linear(h, blk.attn_v)
    a = g.attention(
        g.rope(q, c.head_dim, rope), g.rope(k, c.head_dim, rope), v,
        layer=i, n_heads=c.n_head, n_kv_heads=c.n_kv_head, scale=c.head_dim**-0.5,
    )  # fmt: skip
    return g.linear(a, blk.attn_output)


def swiglu(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """The gated feed-forward layer."""
    blk.ffn_gate.expect_shape(c.n_ff, c.n_embd)
    blk.ffn_up.expect_shape(c.n_ff, c.n_embd)
    blk.ffn_down.expect_shape(c.n_embd, c.n_ff)
    ffn = g.silu_mul(g.linear(h, blk.ffn_gate), g.linear(h, blk.ffn_up))
    return g.linear(ffn, blk.ffn_down)


def experts(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """A mixture of such layers."""
    return mixture.experts(g, c, blk, h, mixture.routing(c, normalize=True))
