"""Phi 3 to 4 (arXiv:2404.14219): Llama with fused matrices, and long contexts by LongRoPE."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .registry import register
from .rope import long_or_short, rope


@register("phi3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=False, factors=long_or_short(c, w))
    window = c.integer("attention.sliding_window", 0, low=0) or None
    attend = partial(attention, g, c, rope=spec, window=window)
    return decoder(g, c, w, attend, partial(swiglu, g, c))
