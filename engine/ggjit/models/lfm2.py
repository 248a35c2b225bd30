"""LFM 2 (arXiv:2511.23404): gated short convolutions, and some layers that attend.

A layer that attends has key heads in the file's list; the others have none.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .registry import register
from .rope import rope


@register("lfm2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec, attends = rope(c, interleaved=False), c.per_layer("attention.head_count_kv")

    def mix(blk: Weights, h: Buffer, i: int) -> Buffer:
        if attends[i]:
            return attention(g, c, blk, h, i, spec, norm="head")
        return convolution(g, c, blk, h)

    return decoder(g, c, w, mix, partial(swiglu, g, c), output_norm="token_embd_norm")


def convolution(g: Graph, c: Config, blk: Weights, h: Buffer) -> Buffer:
    """Mix the last few tokens' values, gated before and behind."""
    n, conv = c.n_embd, blk.within("shortconv")
    conv.in_proj.expect_shape(3 * n, n)
    conv.conv.expect_shape(n, c.integer("shortconv.l_cache", high=64))
    conv.out_proj.expect_shape(n, n)
    made = g.linear(h, conv.in_proj)
    before, behind, x = (g.columns(made, 1, i * n, n) for i in range(3))
    mixed = g.short_conv(g.gated(before, x, "plain"), conv.conv)
    return g.linear(g.gated(behind, mixed, "plain"), conv.out_proj)
