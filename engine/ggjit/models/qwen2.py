"""Qwen 1.5 to 2.5 (arXiv:2407.10671): Llama with biases on Q, K and V.

Rotary pairs are taken from the two halves of a head.
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


@register("qwen2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=False))
    return decoder(g, c, w, attend, partial(swiglu, g, c))
