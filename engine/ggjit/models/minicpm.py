"""MiniCPM 1 and 2 (arXiv:2404.06395): Llama scaled as its training by small proxies asks for."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .feed_forward import swiglu
from .granite import scaled
from .registry import register
from .rope import long_or_short, rope


@register("minicpm")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=True, factors=long_or_short(c, w))
    return scaled(g, c, w, partial(attention, g, c, rope=spec), partial(swiglu, g, c))
