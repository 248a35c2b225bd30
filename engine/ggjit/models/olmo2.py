"""OLMo 2 (arXiv:2501.00656): norms come behind a layer's parts; Q and K are normalized as rows.

OLMo 3 has windows in three of four layers, which turn unscaled.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import Norms, decoder
from .feed_forward import swiglu
from .registry import register
from .rope import rope, unscaled

NORMS = Norms(None, "post_attention_norm", None, "post_ffw_norm")


@register("olmo2")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    far, windows = rope(c, interleaved=False), c.windows(4)
    base = c.number("rope.freq_base", 10000.0)
    near = unscaled(c, c.number("rope.freq_base_swa", base), interleaved=False)

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        spec = near if windows[i] else far
        return attention(g, c, blk, h, i, spec, norm="row", window=windows[i])

    return decoder(g, c, w, attend, partial(swiglu, g, c), NORMS)
