"""Qwen 3.5: as Qwen 3 Next, without experts or with; value heads are spread over key heads.

Positions of text have the same value in all sections of a rotary embedding.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .qwen2moe import feed_forward
from .qwen3next import NORMS, mixers
from .registry import register


@register("qwen35")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    c.leave("rope.dimension_sections")
    return decoder(g, c, w, mixers(g, c, tiled=True), partial(swiglu, g, c), NORMS)


@register("qwen35moe")
def with_experts(g: Graph, c: Config, w: Weights) -> Buffer:
    c.leave("rope.dimension_sections")
    experts = partial(feed_forward, g, c, normalize=True)
    return decoder(g, c, w, mixers(g, c, tiled=True), experts, NORMS)
