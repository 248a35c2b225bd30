"""Qwen 3 with experts (arXiv:2505.09388): weights are shares of those chosen."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .config import Config
from .llama import decoder, experts
from .qwen3 import attention
from .registry import register


@register("qwen3moe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    rope = c.rope(interleaved=False)
    return decoder(g, c, w, partial(attention, g, c, rope), partial(experts, g, c))
