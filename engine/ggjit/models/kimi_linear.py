"""Kimi Linear (arXiv:2510.26692): Kimi delta attention, which forgets each column by itself.

Some layers have DeepSeek's latent attention instead, in which nothing turns.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ..graph import Buffer, Graph, Weights, constant
from .config import Config
from .decoder import decoder
from .deepseek2 import attention
from .delta_net import unit
from .mixture import dense_then_experts
from .registry import register


@register("kimi-linear")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    attends = c.per_layer("attention.head_count_kv")
    c.leave("rope.freq_base")  # nothing turns

    def mix(blk: Weights, h: Buffer, i: int) -> Buffer:
        return attention(g, c, None, 1.0, blk, h, i) if attends[i] else delta(g, c, blk, h)

    experts = partial(dense_then_experts, g, c, score="sigmoid", normalize=True)
    return decoder(g, c, w, mix, experts)


def delta(g: Graph, c: Config, blk: Weights, h: Buffer) -> Buffer:
    """DeltaNet whose decay is a number for each column of a key."""
    n, dim = c.n_head, c.integer("kda.head_dim", high=1 << 16)
    q, k, v = (conv(g, c, blk, h, name, n * dim) for name in "qkv")
    blk.ssm_f_b.expect_rows(n * dim)
    rate = g.linear(g.linear(h, blk.ssm_f_a), blk.ssm_f_b)
    a = blk.bare("ssm_a")
    a.expect_vector(n)
    decays = constant(f"{a.name} of columns", np.repeat(a.floats(), dim))
    decay = g.softplus(rate, blk.bias_of("ssm_dt"), decays)
    blk.ssm_beta.expect_shape(n, c.n_embd)
    out = g.recurrence(
        g.scale(unit(g, q, n), dim**-0.5), unit(g, k, n), v, decay,
        g.sigmoid(g.linear(h, blk.ssm_beta)), n_heads=n, n_kv_heads=n, delta=True,
    )  # fmt: skip
    normed = g.rms_norm(out, blk.ssm_norm, c.norm_eps, n)
    blk.ssm_g_b.expect_rows(n * dim)
    gate = g.linear(g.linear(h, blk.ssm_g_a), blk.ssm_g_b)
    blk.attn_output.expect_shape(c.n_embd, n * dim)
    return g.linear(g.gated(gate, normed, "sigmoid"), blk.attn_output)


def conv(g: Graph, c: Config, blk: Weights, h: Buffer, name: str, width: int) -> Buffer:
    """Make queries, keys or values, and mix each column with those of the tokens before."""
    matrix = getattr(blk, f"attn_{name}")
    matrix.expect_shape(width, c.n_embd)
    taps = getattr(blk, f"ssm_conv1d_{name}").as_rows(c.integer("ssm.conv_kernel", high=64))
    return g.short_conv(g.linear(h, matrix), taps, silu=True)
