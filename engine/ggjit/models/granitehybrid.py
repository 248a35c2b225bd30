"""Granite 4 with Mamba 2 layers (arXiv:2405.21060), and some that attend without positions."""

from __future__ import annotations

from functools import partial

from ..graph import Buffer, Graph, Weights
from .config import Config
from .delta_net import heads, state_size
from .feed_forward import swiglu
from .granite import attend, feed_forward, scaled, turning
from .registry import register


@register("granitehybrid")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attends = c.per_layer("attention.head_count_kv")
    spec = turning(c)

    def mix(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attend(g, c, spec, blk, h, i) if attends[i] else mamba2(g, c, blk, h)

    return scaled(g, c, w, mix, partial(feed_forward if c.n_expert else swiglu, g, c))


def mamba2(g: Graph, c: Config, blk: Weights, h: Buffer) -> Buffer:
    """A state space layer: values are written under keys B, and read by C, until they decay."""
    (n_groups, n_heads, inner), n_state = heads(c), state_size(c)
    n_mixed = inner + 2 * n_groups * n_state
    blk.ssm_in.expect_shape(inner + n_mixed + n_heads, c.n_embd)
    blk.ssm_conv1d.expect_shape(n_mixed, c.integer("ssm.conv_kernel", high=64))
    blk.ssm_out.expect_shape(c.n_embd, inner)
    made = g.linear(h, blk.ssm_in)
    gate, rate = g.columns(made, 1, 0, inner), g.columns(made, 1, inner + n_mixed, n_heads)
    mixed = g.short_conv(g.columns(made, 1, inner, n_mixed), blk.ssm_conv1d, silu=True)
    bias = blk.bias_of("ssm_dt")
    out = g.recurrence(
        g.columns(mixed, 1, inner + n_groups * n_state, n_groups * n_state),
        g.columns(mixed, 1, inner, n_groups * n_state), g.columns(mixed, 1, 0, inner),
        g.softplus(rate, bias, blk.bare("ssm_a")), g.softplus(rate, bias),
        n_heads=n_heads, n_kv_heads=n_groups, delta=False, skip=blk.bare("ssm_d"),
    )  # fmt: skip
    gated = g.gated(gate, out, "silu")
    return g.linear(normed(g, c, blk, gated, n_groups), blk.ssm_out)


def normed(g: Graph, c: Config, blk: Weights, x: Buffer, n_groups: int) -> Buffer:
    """Normalize each group, which has weights of its own."""
    if n_groups == 1:
        return g.rms_norm(x, blk.ssm_norm.flat(), c.norm_eps)
    n = x.width // n_groups
    weights = blk.ssm_norm.flat()
    parts = [
        g.rms_norm(g.columns(x, 1, i * n, n), weights.elements(i * n, n), c.norm_eps)
        for i in range(n_groups)
    ]
    for part in parts[1:]:
        parts[0] = g.join(parts[0], part, 1)
    return parts[0]
