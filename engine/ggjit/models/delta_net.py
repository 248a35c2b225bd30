"""Gated DeltaNet (arXiv:2412.06464) as Qwen 3 Next has it, and its attention with gates."""

from __future__ import annotations

import numpy as np

from ..graph import Buffer, Graph, RopeSpec, Weights, constant
from .config import Config

L2_EPS = 1e-6


def delta_net(g: Graph, c: Config, blk: Weights, h: Buffer, *, tiled: bool) -> Buffer:
    """Linear attention behind a short convolution, its output normalized and gated.

    `tiled`: value heads of a key head are as many apart as there are key heads.
    """
    (n_k, n_v, inner), k_dim = heads(c), state_size(c)
    blk.attn_qkv.expect_shape(2 * n_k * k_dim + inner, c.n_embd)
    blk.attn_gate.expect_shape(inner, c.n_embd)
    blk.ssm_out.expect_shape(c.n_embd, inner)
    taps = c.integer("ssm.conv_kernel", high=64)
    blk.ssm_conv1d.expect_shape(2 * n_k * k_dim + inner, taps)
    mixed = g.short_conv(g.linear(h, blk.attn_qkv), blk.ssm_conv1d, silu=True)
    q, k = (unit(g, g.columns(mixed, 1, i * n_k * k_dim, n_k * k_dim), n_k) for i in range(2))
    beta, alpha = strengths(g, c, blk, h, n_k, n_v)
    out = g.recurrence(
        g.scale(q, k_dim**-0.5), k, g.columns(mixed, 1, 2 * n_k * k_dim, inner),
        g.softplus(alpha, blk.bias_of("ssm_dt"), blk.bare("ssm_a")), g.sigmoid(beta),
        n_heads=n_v, n_kv_heads=n_k, delta=True, tiled=tiled,
    )  # fmt: skip
    normed = g.rms_norm(out, blk.ssm_norm, c.norm_eps, n_v)
    return g.linear(g.gated(g.linear(h, blk.attn_gate), normed, "silu"), blk.ssm_out)


def heads(c: Config) -> tuple[int, int, int]:
    """Return key heads, value heads and the width of all values. Raises: ValueError."""
    n_k, n_v = c.integer("ssm.group_count"), c.integer("ssm.time_step_rank")
    inner = c.integer("ssm.inner_size")
    if n_v % n_k:
        raise c.wrong("ssm.group_count", n_k, f"a divisor of {n_v} heads")
    if inner % n_v:
        raise c.wrong("ssm.inner_size", inner, f"a multiple of {n_v} heads")
    return n_k, n_v, inner


def state_size(c: Config) -> int:
    """Columns of a key head."""
    return c.integer("ssm.state_size", high=1 << 16)


def strengths(
    g: Graph, c: Config, blk: Weights, h: Buffer, n_k: int, n_v: int
) -> tuple[Buffer, Buffer]:
    """Return for each value head how much is written and how much is kept, before their functions.

    Files have two matrices, or one with each key head's rows side by side.
    """
    if blk.has("ssm_ba"):
        blk.ssm_ba.expect_shape(2 * n_v, c.n_embd)
        both, each = g.linear(h, blk.ssm_ba), n_v // n_k
        return g.columns(both, n_k, 0, each), g.columns(both, n_k, each, each)
    blk.ssm_beta.expect_shape(n_v, c.n_embd)
    blk.ssm_alpha.expect_shape(n_v, c.n_embd)
    return g.linear(h, blk.ssm_beta), g.linear(h, blk.ssm_alpha)


def unit(g: Graph, x: Buffer, n_heads: int) -> Buffer:
    """Divide each head by its length: a norm whose weights undo the mean."""
    n = x.width // n_heads
    weight = constant(f"one in {n}", np.full(n, n**-0.5))
    return g.rms_norm(x, weight, L2_EPS / n, n_heads)


def gated_attention(
    g: Graph, c: Config, blk: Weights, h: Buffer, i: int, rope: RopeSpec
) -> Buffer:  # fmt: skip
    """Attention whose result is gated; a head's gate comes behind its query."""
    n, dim = c.n_head, c.head_dim
    if c.value_dim != dim:
        raise c.wrong("attention.value_length", c.value_dim, f"{dim}, the width of gates")
    blk.attn_q.expect_shape(2 * n * dim, c.n_embd)
    blk.attn_k.expect_shape(c.n_kv_head * dim, c.n_embd)
    blk.attn_v.expect_shape(c.n_kv_head * dim, c.n_embd)
    blk.attn_output.expect_shape(c.n_embd, n * dim)
    both = g.linear(h, blk.attn_q)
    q = g.rms_norm(g.columns(both, n, 0, dim), blk.attn_q_norm, c.norm_eps, n)
    k = g.rms_norm(g.linear(h, blk.attn_k), blk.attn_k_norm, c.norm_eps, c.n_kv_head)
    a = g.attention(
        g.rope(q, dim, rope), g.rope(k, dim, rope), g.linear(h, blk.attn_v),
        layer=i, n_heads=n, n_kv_heads=c.n_kv_head, scale=dim**-0.5,
    )  # fmt: skip
    return g.linear(g.gated(g.columns(both, n, dim, dim), a, "sigmoid"), blk.attn_output)
