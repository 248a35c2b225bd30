"""What mixture-of-experts architectures share: routed experts, and one that every token has."""

from __future__ import annotations

from typing import Literal

from ..graph import Buffer, Graph, Param, Routing, Unit, Weights
from .config import Config
from .feed_forward import swiglu

Score = Literal["softmax", "sigmoid", "chosen"]
GATING: dict[int, Score] = {1: "softmax", 2: "sigmoid", 3: "chosen"}  # llama.cpp's numbers


def routing(c: Config, score: Score = "softmax", *, normalize: bool = False) -> Routing:
    """Return how tokens choose, for an architecture's way where the file does not say.

    Where softmax scores are grouped, groups count as much as their best expert (DeepSeek-V2).
    """
    kind = c.integer("expert_gating_func", 0, low=0)
    if kind and kind not in GATING:
        raise c.wrong("expert_gating_func", kind, f"one of {sorted(GATING)}")
    score = GATING.get(kind, score)
    n_groups = c.integer("expert_group_count", 1, high=c.n_expert)
    if c.n_expert % n_groups:
        raise c.wrong("expert_group_count", n_groups, f"a divisor of {c.n_expert} experts")
    n_groups_used = c.integer("expert_group_used_count", n_groups, high=n_groups)
    n_used = c.n_expert_used
    if n_used > c.n_expert // n_groups * n_groups_used:
        raise c.wrong("expert_used_count", n_used, "as many as the groups used have")
    return Routing(
        n_used, score, c.flag("expert_weights_norm", normalize), weights_scale(c), n_groups,
        n_groups_used, 1 if score == "softmax" else 2,
    )  # fmt: skip


def weights_scale(c: Config) -> float:
    """Return what the experts' weights are multiplied by; 0 in a file says nothing."""
    return c.number("expert_weights_scale", 0.0, low=0.0) or 1.0


def experts(
    g: Graph, c: Config, blk: Weights, h: Buffer, routing: Routing, bias: Param | None = None,
    *, unit: Unit = "silu", weigh_first: bool = False, width: int | None = None,
) -> Buffer:  # fmt: skip
    """Return what each token's experts, so many columns wide, make of it, each gated by a unit.

    `bias` helps to choose; with `weigh_first` weights multiply what experts get, not their results.
    """
    n, n_ff = c.n_expert, width or c.n_ff_expert
    blk.ffn_gate_inp.expect_shape(n, c.n_embd)
    blk.ffn_gate_exps.expect_stack(n, n_ff, c.n_embd)
    blk.ffn_up_exps.expect_stack(n, n_ff, c.n_embd)
    blk.ffn_down_exps.expect_stack(n, c.n_embd, n_ff)
    routes = g.route(g.linear(h, blk.ffn_gate_inp), routing, bias)
    gate = g.expert_linear(h, blk.ffn_gate_exps, routes, weigh=weigh_first)
    up = g.expert_linear(h, blk.ffn_up_exps, routes, weigh=weigh_first)
    down = g.expert_linear(g.gated(gate, up, unit), blk.ffn_down_exps, routes)
    return g.combine(down, routes, weigh=not weigh_first)


def dense_then_experts(
    g: Graph, c: Config, blk: Weights, h: Buffer, i: int, *,
    score: Score | None = None, normalize: bool = False,
) -> Buffer:  # fmt: skip
    """SwiGLU in the first layers, then routed experts, and shared ones, which are one together.

    A bias on the choice came with sigmoids (DeepSeek-V3): files that do not say it mean them.
    """
    if i < c.integer("leading_dense_block_count", 0, low=0):
        return swiglu(g, c, blk, h, i)
    bias = blk.bias_alone("exp_probs_b")
    score = score or ("sigmoid" if bias else "softmax")
    routed = experts(g, c, blk, h, routing(c, score, normalize=normalize), bias)
    n_shared = c.integer("expert_shared_count", 0, low=0)
    if not n_shared:
        return routed
    return g.add(routed, shared_expert(g, c, blk, h, n_shared * c.n_ff_expert))


def shared_expert(g: Graph, c: Config, blk: Weights, h: Buffer, n_ff: int) -> Buffer:
    """Return what the expert of all tokens makes of them."""
    blk.ffn_gate_shexp.expect_shape(n_ff, c.n_embd)
    blk.ffn_up_shexp.expect_shape(n_ff, c.n_embd)
    blk.ffn_down_shexp.expect_shape(c.n_embd, n_ff)
    ffn = g.silu_mul(g.linear(h, blk.ffn_gate_shexp), g.linear(h, blk.ffn_up_shexp))
    return g.linear(ffn, blk.ffn_down_shexp)
