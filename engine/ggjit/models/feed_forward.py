"""Feed-forward layers: gated (arXiv:2002.05202), from two matrices or one with both."""

from __future__ import annotations

from ..graph import Buffer, Graph, Weights
from .config import Config


def swiglu(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """Gate by SiLU. Without `ffn_gate` its rows are above those of `ffn_up`."""
    gate, up = gate_and_up(g, c, blk, h)
    return g.linear(g.silu_mul(gate, up), blk.ffn_down)


def geglu(g: Graph, c: Config, blk: Weights, h: Buffer, i: int) -> Buffer:
    """Gate by GELU."""
    gate, up = gate_and_up(g, c, blk, h)
    return g.linear(g.gated(gate, up, "gelu"), blk.ffn_down)


def gate_and_up(g: Graph, c: Config, blk: Weights, h: Buffer) -> tuple[Buffer, Buffer]:
    """Multiply by both matrices."""
    if not blk.has("ffn_gate") and blk.ffn_up.n_rows == 2 * c.n_ff:
        gate, up = blk.ffn_up.rows(0, c.n_ff), blk.ffn_up.rows(c.n_ff, c.n_ff)
    else:
        gate, up = blk.ffn_gate, blk.ffn_up
    gate.expect_shape(c.n_ff, c.n_embd)
    up.expect_shape(c.n_ff, c.n_embd)
    blk.ffn_down.expect_shape(c.n_embd, c.n_ff)
    return g.linear(h, gate), g.linear(h, up)
