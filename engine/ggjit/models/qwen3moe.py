"""Qwen 3 with experts (arXiv:2505.09388): weights are shares of those chosen."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .mixture import experts, routing
from .qwen2moe import expert_width
from .registry import register
from .rope import rope


@register("qwen3moe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=False), norm="head")
    choice, width = routing(c, normalize=True), expert_width(c)

    def feed_forward(blk: Weights, h: Buffer, i: int) -> Buffer:
        return experts(g, c, blk, h, choice, width=width)

    return decoder(g, c, w, attend, feed_forward)
