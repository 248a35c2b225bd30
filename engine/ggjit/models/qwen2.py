"""Qwen 1.5 to 2.5 (arXiv:2407.10671): Llama with biases on Q, K and V.

Rotary pairs are taken from the two halves of a head.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .config import Config
from .llama import attention, decoder, swiglu
from .registry import register


@register("qwen2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    c.refuse("expert_count")
    rope = c.rope(interleaved=False)
    return decoder(g, c, w, partial(attention, g, c, rope), partial(swiglu, g, c))
