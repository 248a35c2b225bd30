"""Gemma 2 (arXiv:2408.00118): every other layer has a window; scores and logits are capped.

What a layer's parts make is normalized once more before it is added.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import Norms, decoder
from .feed_forward import geglu
from .registry import register
from .rope import rope

NORMS = Norms(after_attention="post_attention_norm", after_feed_forward="post_ffw_norm")
N_LAYER_27B = 46  # whose scores are scaled by a head's share of the width; no key says so


@register("gemma2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec, windows = rope(c, interleaved=False), c.windows(2, 4096)
    width = c.n_embd // c.n_head if c.n_layer == N_LAYER_27B else c.head_dim
    scale = c.number("ggjit.attention.scale", width**-0.5)
    cap = c.number("attn_logit_softcapping", 50.0)

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attention(g, c, blk, h, i, spec, scale=scale, window=windows[i], softcap=cap)

    return decoder(
        g, c, w, attend, partial(geglu, g, c), NORMS, embedding_scale=c.n_embd**0.5,
        logit_cap=c.number("final_logit_softcapping", 30.0),
    )  # fmt: skip
