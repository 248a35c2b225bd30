"""Qwen 3 Next: gated DeltaNet in three of four layers, gated attention in the fourth; experts."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .config import Config
from .decoder import Norms, Part, decoder
from .delta_net import delta_net, gated_attention
from .qwen2moe import feed_forward
from .registry import register
from .rope import rope

NORMS = Norms(feed_forward="post_attention_norm")


@register("qwen3next")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    experts = partial(feed_forward, g, c, normalize=True)
    return decoder(g, c, w, mixers(g, c, tiled=False), experts, NORMS)


def mixers(g: Graph, c: Config, *, tiled: bool) -> Part:
    """Return the part of a layer that looks at other tokens, by the layer's number."""
    spec, recurrent = rope(c, interleaved=False), recurrent_layers(c)

    def mix(blk: Weights, h: Buffer, i: int) -> Buffer:
        if recurrent[i]:
            return delta_net(g, c, blk, h, tiled=tiled)
        return gated_attention(g, c, blk, h, i, spec)

    return mix


def recurrent_layers(c: Config) -> list[bool]:
    """Tell of each layer whether it is recurrent: a list says so, or how often one is not."""
    interval = c.integer("full_attention_interval", 4)
    if c.is_list("attention.recurrent_layers"):
        return [bool(value) for value in c.per_layer("attention.recurrent_layers")]
    return [(i + 1) % interval != 0 for i in range(c.n_layer)]
