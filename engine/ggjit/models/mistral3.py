"""Ministral 3: Llama with YaRN, whose queries grow with the logarithm of the position."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .attention import attention
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .registry import register
from .rope import original_context, rope


@register("mistral3")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=True)
    grows = c.number("attention.temperature_scale", 0.0, low=0.0)
    temper = (grows, original_context(c)) if grows else None
    attend = partial(attention, g, c, rope=spec, temper=temper)
    return decoder(g, c, w, attend, partial(swiglu, g, c))
