"""Gemma (arXiv:2403.08295): GELU gates, embeddings times the root of their width."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import geglu
from .registry import register
from .rope import rope


@register("gemma")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attend = partial(attention, g, c, rope=rope(c, interleaved=False))
    return decoder(g, c, w, attend, partial(geglu, g, c), embedding_scale=c.n_embd**0.5)
