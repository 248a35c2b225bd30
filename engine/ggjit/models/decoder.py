"""What decoders share: embed, add to the residual what layers make of it, norm, logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..graph import Buffer, Graph, Param, Weights
from .config import Config

# Part of a layer: makes, of the layer's tensors, its normalized input and its number, what is added
Part = Callable[[Weights, Buffer, int], Buffer]


@dataclass(frozen=True)
class Norms:
    """Which tensors normalize what goes into a layer's two parts, and what comes out of them."""

    attention: str | None = "attn_norm"
    after_attention: str | None = None
    feed_forward: str | None = "ffn_norm"
    after_feed_forward: str | None = None


def decoder(
    g: Graph,
    c: Config,
    w: Weights,
    attention: Part,
    feed_forward: Part,
    norms: Norms | None = None,
    *,
    embedding_scale: float = 1.0,
    residual_scale: float = 1.0,
    logit_scale: float = 1.0,
    logit_cap: float | None = None,
    output_norm: str = "output_norm",
) -> Buffer:
    """All of it, for an attention and a feed-forward layer."""
    n = norms or Norms()
    w.token_embd.expect_columns(c.n_embd)
    x = g.scale(g.embed(w.token_embd), embedding_scale)

    def added(x: Buffer, part: Part, i: int, before: str | None, after: str | None) -> Buffer:
        blk = w.block(i)
        y = part(blk, g.rms_norm(x, getattr(blk, before), c.norm_eps) if before else x, i)
        if after:
            y = g.rms_norm(y, getattr(blk, after), c.norm_eps)
        return g.add(x, g.scale(y, residual_scale))

    for i in range(c.n_layer):
        x = added(x, attention, i, n.attention, n.after_attention)
        x = added(x, feed_forward, i, n.feed_forward, n.after_feed_forward)
    for i in range(c.n_layer, c.n_block):
        w.leave_block(i)
    x = g.rms_norm(g.select(x), getattr(w, output_norm), c.norm_eps)
    x = g.scale(g.linear(x, output(w, c)), logit_scale)
    return g.softcap(x, logit_cap) if logit_cap else x


def output(w: Weights, c: Config) -> Param:
    """Return the matrix that makes the logits: the embedding's, where there is none of its own."""
    matrix = w.output if w.has("output") else w.token_embd
    matrix.expect_shape(w.token_embd.n_rows, c.n_embd)
    return matrix
