"""Qwen 1.5 and 2 with experts (arXiv:2407.10671): chosen weights are used as they are.

Every token has a shared expert too, times a sigmoid of its own.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .mixture import experts, routing, shared_expert
from .registry import register
from .rope import rope


@register("qwen2moe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=False))
    return decoder(g, c, w, attend, partial(feed_forward, g, c))


def feed_forward(
    g: Graph, c: Config, blk: Weights, h: Buffer, i: int, *, normalize: bool = False
) -> Buffer:
    """Routed experts, and one for every token."""
    routed = experts(g, c, blk, h, routing(c, normalize=normalize), width=expert_width(c))
    name = "expert_shared_feed_forward_length"
    shared = shared_expert(g, c, blk, h, c.integer(name) if c.has(name) else c.n_ff)
    gate = g.linear(h, blk.ffn_gate_inp_shexp.as_row())
    return g.add(routed, g.sigmoid_gate(gate, shared))


def expert_width(c: Config) -> int:
    """Return the width of an expert: older files mean an equal share of a layer's.

    llama.cpp: src/models/qwen2moe.cpp.
    """
    if c.has("expert_feed_forward_length"):
        return c.n_ff_expert
    return c.n_ff // c.n_expert_used
