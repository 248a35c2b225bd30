"""Qwen 3 (arXiv:2505.09388): Llama's layers, with each head of Q and K normalized before it turns.

Heads may be wider or narrower than their share of a row; rotary pairs are taken from their halves.
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


@register("qwen3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=False), norm="head")
    return decoder(g, c, w, attend, partial(swiglu, g, c))
