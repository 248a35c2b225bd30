"""Grouped-query attention (arXiv:2305.13245), with what architectures add to it."""

from __future__ import annotations

from typing import Literal

from ..graph import Buffer, Graph, Param, RopeSpec, Weights
from .config import Config


def attention(
    g: Graph,
    c: Config,
    blk: Weights,
    h: Buffer,
    i: int,
    rope: RopeSpec | None,
    *,
    norm: Literal["head", "row"] | None = None,
    scale: float | None = None,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Param | None = None,
    temper: tuple[float, int] | None = None,
) -> Buffer:
    """Attend from each token to those before it, or to the last `window`; add what biases say.

    `norm`: Q and K are normalized, each head or whole rows. Without `rope` nothing turns.
    `temper`: queries grow by so much with the logarithm of spans of so many positions.
    """
    q, k, v = queries_keys_values(g, c, blk, h)
    if norm:
        q = g.rms_norm(q, blk.attn_q_norm, c.norm_eps, c.n_head if norm == "head" else 1)
        k = g.rms_norm(k, blk.attn_k_norm, c.norm_eps, c.n_kv_head if norm == "head" else 1)
    if rope:
        q, k = g.rope(q, c.head_dim, rope), g.rope(k, c.head_dim, rope)
    if temper:
        q = g.temper(q, *temper)
    a = g.attention(
        q, k, v, layer=i, n_heads=c.n_head, n_kv_heads=c.n_kv_head,
        scale=c.head_dim**-0.5 if scale is None else scale,
        window=window, softcap=softcap, sinks=sinks,
    )  # fmt: skip
    blk.attn_output.expect_shape(c.n_embd, c.n_head * c.value_dim)
    return g.linear(a, blk.attn_output)


def queries_keys_values(
    g: Graph, c: Config, blk: Weights, h: Buffer
) -> tuple[Buffer, Buffer, Buffer]:
    """Multiply by three matrices, or by one that has their rows below each other."""
    n_q = c.n_head * c.head_dim
    if blk.has("attn_qkv"):
        n_k, n_v = c.n_kv_head * c.head_dim, c.n_kv_head * c.value_dim
        blk.attn_qkv.expect_shape(n_q + n_k + n_v, c.n_embd)
        q, k = blk.attn_qkv.rows(0, n_q), blk.attn_qkv.rows(n_q, n_k)
        v = blk.attn_qkv.rows(n_q + n_k, n_v)
    else:
        q, k, v = blk.attn_q, blk.attn_k, blk.attn_v
        q.expect_shape(n_q, c.n_embd)
        k.expect_shape(c.n_kv_head * c.head_dim, c.n_embd)
        v.expect_shape(c.n_kv_head * c.value_dim, c.n_embd)
    return g.linear(h, q), g.linear(h, k), g.linear(h, v)
