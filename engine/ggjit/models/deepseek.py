"""DeepSeekMoE (arXiv:2401.06066): Llama with experts, none of them in the first layers.

Chosen weights are used as they are; some experts are shared by all tokens, as one that is wider.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .mixture import experts, routing, shared_expert
from .registry import register
from .rope import rope


@register("deepseek")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=True))
    return decoder(g, c, w, attend, partial(feed_forward, g, c))


def feed_forward(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """SwiGLU in the first layers, then routed experts, and shared ones if there are any.

    A bias on the choice came with sigmoids (DeepSeek-V3): files that do not say it mean them.
    """
    if i < c.integer("leading_dense_block_count", 0, low=0):
        return swiglu(g, c, blk, h, i)
    bias = blk.bias_alone("exp_probs_b")
    routed = experts(g, c, blk, h, routing(c, "sigmoid" if bias else "softmax"), bias)
    n_shared = c.integer("expert_shared_count", 0, low=0)
    if not n_shared:
        return routed
    return g.add(routed, shared_expert(g, c, blk, h, n_shared * c.n_ff_expert))
