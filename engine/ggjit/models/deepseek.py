"""DeepSeekMoE (arXiv:2401.06066): Llama with experts, none of them in the first layers.

Chosen weights are used as they are; some experts are shared by all tokens, as one that is wider.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .mixture import dense_then_experts
from .registry import register
from .rope import rope


@register("deepseek")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=True))
    return decoder(g, c, w, attend, partial(dense_then_experts, g, c))
