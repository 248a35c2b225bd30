"""MiniCPM 1, 2 and 4 (arXiv:2404.06395): Llama scaled as its training by small proxies asks for.

Older files do not tell the scales (llama.cpp: src/models/minicpm.cpp): they are those of the first.
"""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .feed_forward import swiglu
from .granite import scaled
from .registry import register
from .rope import long_or_short, rope

EMBEDDING, DEPTH, WIDTH = 12.0, 1.4, 256.0  # the last: of the proxy, which logits are scaled to


@register("minicpm")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=True, factors=long_or_short(c, w))
    return scaled(
        g, c, w, partial(attention, g, c, rope=spec), partial(swiglu, g, c),
        embedding=EMBEDDING, residual=DEPTH / c.n_layer**0.5, logits=c.n_embd / WIDTH,
    )  # fmt: skip
