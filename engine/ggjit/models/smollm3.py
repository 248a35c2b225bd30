"""SmolLM 3: Llama in which every fourth layer does not turn (arXiv:2501.18795)."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .registry import register
from .rope import rope

STEP = 4


@register("smollm3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=True)

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attention(g, c, blk, h, i, spec if (i + 1) % STEP else None)

    return decoder(g, c, w, attend, partial(swiglu, g, c))
