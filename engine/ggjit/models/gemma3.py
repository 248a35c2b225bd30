"""Gemma 3 (arXiv:2503.19786): five layers with a window to one that sees everything.

Those with a window turn by a base of their own, unscaled; heads of Q and K are normalized.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import geglu
from .gemma2 import NORMS, score_scale
from .registry import register
from .rope import rope, unscaled

N_LAYER_27B = 62


@register("gemma3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    far, windows = rope(c, interleaved=False), c.windows(6)
    near = unscaled(c, c.number("rope.freq_base_swa", 10000.0), interleaved=False)
    scale = score_scale(c, N_LAYER_27B)

    def attend(blk: Weights, h: Buffer, i: int) -> Buffer:
        spec = near if windows[i] else far
        return attention(g, c, blk, h, i, spec, norm="head", scale=scale, window=windows[i])

    return decoder(
        g, c, w, attend, partial(geglu, g, c), NORMS, embedding_scale=c.n_embd**0.5,
        logit_cap=c.number("final_logit_softcapping", 0.0, low=0.0) or None,
    )  # fmt: skip
