"""GLM 4.5 to 4.7 (arXiv:2508.06471): experts chosen by sigmoids with a bias, half of a head turns.

Layers that predict further tokens come last in the file; they are no part of this.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import Norms, decoder
from .feed_forward import swiglu
from .mixture import experts, routing, shared_expert
from .registry import register
from .rope import rope

NORMS = Norms(feed_forward="post_attention_norm")


@register("glm4moe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    norm: Literal["head"] | None = "head" if w.block(0).has("attn_q_norm") else None
    attend = partial(attention, g, c, rope=rope(c, interleaved=False), norm=norm)
    return decoder(g, c, w, attend, partial(feed_forward, g, c), NORMS)


def feed_forward(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """SwiGLU in the first layers, then routed experts and a shared one."""
    if i < c.integer("leading_dense_block_count", 0, low=0):
        return swiglu(g, c, blk, h, i)
    choice = routing(c, "sigmoid", normalize=True)
    routed = experts(g, c, blk, h, choice, blk.bias_alone("exp_probs_b"))
    n_shared = c.integer("expert_shared_count", 0, low=0)
    return g.add(routed, shared_expert(g, c, blk, h, n_shared * c.n_ff_expert))
