"""GLM 4 (arXiv:2406.12793): half of each head turns; parts are normalized before and behind."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .gemma2 import NORMS
from .registry import register
from .rope import rope


@register("glm4")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=True))
    return decoder(g, c, w, attend, partial(swiglu, g, c), NORMS)
