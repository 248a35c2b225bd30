"""gpt-oss (arXiv:2508.10925): experts of MXFP4 with biases and clamped gates, attention sinks.

Every other layer has a window. YaRN's bounds are not rounded to whole pairs, unlike elsewhere.
"""

from __future__ import annotations

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import Norms, decoder
from .mixture import experts, routing
from .registry import register
from .rope import rope

NORMS = Norms(feed_forward="post_attention_norm")


@register("gpt-oss")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec, windows = rope(c, interleaved=False, truncate=False), c.windows(2)
    choice = routing(c, "chosen")

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attention(g, c, blk, h, i, spec, window=windows[i], sinks=blk.attn_sinks)

    def feed_forward(blk: Weights, h: Buffer, i: int) -> Buffer:
        return experts(g, c, blk, h, choice, unit="clamped")

    return decoder(g, c, w, attend, feed_forward, NORMS)
