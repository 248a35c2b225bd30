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
N_LAYER_27B = 46


@register("gemma2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec, windows = rope(c, interleaved=False), c.windows(2, 4096)
    scale = score_scale(c, N_LAYER_27B)
    cap = c.number("attn_logit_softcapping", 50.0)

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attention(g, c, blk, h, i, spec, scale=scale, window=windows[i], softcap=cap)

    return decoder(
        g, c, w, attend, partial(geglu, g, c), NORMS, embedding_scale=c.n_embd**0.5,
        logit_cap=c.number("final_logit_softcapping", 30.0),
    )  # fmt: skip


def score_scale(c: Config, n_layer_27b: int) -> float:
    """Return what scores are multiplied by.

    The largest model's by what suits a head's share of the width; no key of llama.cpp's says so.
    """
    width = c.n_embd // c.n_head if c.n_layer == n_layer_27b else c.head_dim
    return c.number("ggjit.attention.scale", width**-0.5)
