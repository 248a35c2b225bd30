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
from .mixture import dense_then_experts
from .registry import register
from .rope import rope

NORMS = Norms(feed_forward="post_attention_norm")


@register("glm4moe")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    norm: Literal["head"] | None = "head" if w.block(0).has("attn_q_norm") else None
    attend = partial(attention, g, c, rope=rope(c, interleaved=False), norm=norm)
    experts = partial(dense_then_experts, g, c, score="sigmoid", normalize=True)
    return decoder(g, c, w, attend, experts, NORMS)
