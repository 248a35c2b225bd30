"""Granite 3 and 4 (arXiv:2410.23723's multipliers): Llama whose parts are scaled by keys."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, RopeSpec, Weights
from .attention import attention
from .config import Config
from .decoder import Part, decoder
from .feed_forward import swiglu
from .mixture import experts, routing, shared_expert
from .registry import register
from .rope import rope


@register("granite")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    return scaled(g, c, w, partial(attend, g, c, turning(c)), partial(swiglu, g, c))


@register("granitemoe")
def with_experts(g: Graph, c: Config, w: Weights) -> Buffer:
    return scaled(g, c, w, partial(attend, g, c, turning(c)), partial(feed_forward, g, c))


def turning(c: Config) -> RopeSpec | None:
    """Return how positions turn pairs; a key of another name says where they do not."""
    if c.flag("rope.scaling.finetuned", True):
        return rope(c, interleaved=True)
    c.leave("rope.dimension_count", "rope.freq_base")
    return None


def attend(g: Graph, c: Config, spec: RopeSpec | None, blk: Weights, h: Buffer, i: int) -> Buffer:
    """Attention with scores scaled by a key."""
    scale = c.number("attention.scale", 0.0, low=0.0) or None
    return attention(g, c, blk, h, i, spec, scale=scale)


def feed_forward(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """Experts whose weights are the softmax of those chosen, and one for all if there is one."""
    routed = experts(g, c, blk, h, routing(c, normalize=True))
    n_ff = c.integer("expert_shared_feed_forward_length", 0, low=0)
    return g.add(routed, shared_expert(g, c, blk, h, n_ff)) if n_ff else routed


# A Granite 4 of which all layers attend keeps what would be said of Mamba layers.
LEFT_OVER = ("conv_kernel", "state_size", "group_count", "inner_size", "time_step_rank")


def scaled(
    g: Graph, c: Config, w: Weights, attention: Part, feed_forward: Part, *,
    embedding: float = 1.0, residual: float = 1.0, logits: float = 1.0,
) -> Buffer:  # fmt: skip
    """A decoder scaled as keys say; a scale of 0 says nothing, and logits are divided by theirs."""
    c.leave(*(f"ssm.{name}" for name in LEFT_OVER))
    return decoder(
        g, c, w, attention, feed_forward,
        embedding_scale=c.number("embedding_scale", 0.0, low=0.0) or embedding,
        residual_scale=c.number("residual_scale", 0.0, low=0.0) or residual,
        logit_scale=1.0 / (c.number("logit_scale", 0.0, low=0.0) or logits),
    )  # fmt: skip
