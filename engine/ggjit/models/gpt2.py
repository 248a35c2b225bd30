"""GPT-2 (Radford et al., 2019): positions are learned, norms are centred, nothing is gated."""

from __future__ import annotations

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import output
from .registry import register


@register("gpt2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    eps = c.number("attention.layer_norm_epsilon", high=1)
    w.token_embd.expect_columns(c.n_embd)
    w.position_embd.expect_shape(c.n_context_trained, c.n_embd)
    x = g.add(g.embed(w.token_embd), g.embed_positions(w.position_embd))
    for i in range(c.n_layer):
        blk = w.block(i)
        x = g.add(x, attention(g, c, blk, g.layer_norm(x, blk.attn_norm, eps), i, None))
        x = g.add(x, feed_forward(g, c, blk, g.layer_norm(x, blk.ffn_norm, eps)))
    x = g.layer_norm(g.select(x), w.output_norm, eps)
    return g.linear(x, output(w, c))


def feed_forward(g: Graph, c: Config, blk: Weights, h: Buffer) -> Buffer:
    """Two matrices with a GELU between."""
    blk.ffn_up.expect_shape(c.n_ff, c.n_embd)
    blk.ffn_down.expect_shape(c.n_embd, c.n_ff)
    return g.linear(g.gelu(g.linear(h, blk.ffn_up)), blk.ffn_down)
