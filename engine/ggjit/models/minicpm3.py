"""MiniCPM 3: latent attention with LongRoPE, scaled as MiniCPM; files do not tell the scales."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .config import Config
from .decoder import decoder
from .deepseek2 import attention
from .feed_forward import swiglu
from .minicpm import DEPTH, EMBEDDING, WIDTH
from .registry import register
from .rope import long_or_short, rope


@register("minicpm3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=False, factors=long_or_short(c, w))
    c.leave("attention.head_count_kv")
    return decoder(
        g, c, w, partial(attention, g, c, spec, 1.0), partial(swiglu, g, c),
        embedding_scale=c.number("ggjit.embedding_scale", EMBEDDING),
        residual_scale=c.number("ggjit.residual_scale", DEPTH / c.n_layer**0.5),
        logit_scale=c.number("ggjit.logit_scale", WIDTH / c.n_embd),
    )  # fmt: skip
