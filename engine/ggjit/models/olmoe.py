"""OLMoE (arXiv:2409.02060): Llama's layers with experts, and Q and K normalized as whole rows.

Chosen weights are used as they are; rotary pairs are taken from the two halves of a head.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .mixture import experts, routing
from .registry import register
from .rope import rope


@register("olmoe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=False), norm="row")
    return decoder(g, c, w, attend, lambda blk, h, i: experts(g, c, blk, h, routing(c)))
