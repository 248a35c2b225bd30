"""Llama 4: experts in some layers, one of them chosen by a sigmoid that weighs what it gets.

Three of four layers turn and see their chunk of the context; the fourth does neither, and its
queries grow with the logarithm of the position. What turns is normalized, where files say so by
the number of experts (llama.cpp: src/models/llama4.cpp).
"""

from __future__ import annotations

import numpy as np

from ..graph import Buffer, Graph, RopeSpec, Weights, constant
from .attention import queries_keys_values
from .config import Config
from .decoder import decoder
from .feed_forward import swiglu
from .mixture import experts, routing, shared_expert
from .registry import register
from .rope import rope

CHUNK, GROWTH, STEP = 8192, 0.1, 4  # which files do not tell
WITHOUT_NORM = 128  # experts


@register("llama4")
def forward(g: Graph, c: Config, w: Weights) -> Buffer:
    spec = rope(c, interleaved=True, factors=w.rope_freqs if w.has("rope_freqs") else None)
    every = c.integer("interleave_moe_layer_step", 1, low=0)

    def feed_forward(blk: Weights, h: Buffer, i: int) -> Buffer:
        if not every or (i + 1) % every:
            return swiglu(g, c, blk, h, i)
        routed = experts(g, c, blk, h, routing(c, "sigmoid"), weigh_first=True)
        return g.add(routed, shared_expert(g, c, blk, h, c.n_ff_expert))

    return decoder(g, c, w, lambda blk, h, i: attend(g, c, blk, h, i, spec), feed_forward)


def attend(g: Graph, c: Config, blk: Weights, h: Buffer, i: int, rope: RopeSpec) -> Buffer:
    """Attention within a chunk, or in every fourth layer to everything, without rotation."""
    q, k, v = queries_keys_values(g, c, blk, h)
    chunk = c.integer("ggjit.attention.chunk_size", CHUNK)
    if everywhere := c.has("attention.sliding_window"):
        c.integer("attention.sliding_window", low=0, high=0)  # which says that there are no chunks
    turns = everywhere or (i + 1) % STEP != 0
    if turns:
        q = unit(g, c, g.rope(q, c.head_dim, rope), c.n_head)
        k = unit(g, c, g.rope(k, c.head_dim, rope), c.n_kv_head)
    else:
        q = g.temper(q, GROWTH, c.integer("ggjit.attention.temperature_length", CHUNK), 1)
    window = chunk if turns and not everywhere else None
    a = g.attention(
        q, k, v, layer=i, n_heads=c.n_head, n_kv_heads=c.n_kv_head, scale=c.head_dim**-0.5,
        window=window, chunked=window is not None,
    )  # fmt: skip
    blk.attn_output.expect_shape(c.n_embd, c.n_head * c.value_dim)
    return g.linear(a, blk.attn_output)


def unit(g: Graph, c: Config, x: Buffer, n_heads: int) -> Buffer:
    """Normalize each head, without weights."""
    if c.n_expert == WITHOUT_NORM:
        return x
    ones = constant(f"{c.head_dim} ones", np.ones(c.head_dim))
    return g.rms_norm(x, ones, c.norm_eps, n_heads)
