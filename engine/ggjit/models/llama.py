"""Llama 1 to 3, and what shares its shape: Mistral, Mixtral, Yi, SmolLM2 (arXiv:2302.13971).

GGUF stores Q and K rows so that rotary pairs are interleaved. With experts it is Mixtral
(arXiv:2401.04088): weights are the softmax over those chosen.
"""

from __future__ import annotations

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .mixture import experts, routing
from .registry import register
from .rope import rope


@register("llama")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=True, factors=w.rope_freqs if w.has("rope_freqs") else None)
    window = c.integer("ggjit.attention.sliding_window", 0, low=0) or None

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attention(g, c, blk, h, i, spec, window=window)

    def feed_forward(blk: Weights, h: Buffer, i: int) -> Buffer:
        if c.n_expert:
            return experts(g, c, blk, h, routing(c, normalize=True))
        return swiglu(g, c, blk, h, i)

    return decoder(g, c, w, attend, feed_forward)
