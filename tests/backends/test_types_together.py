"""Graphs whose matrices are of K types, beside each other and beside others, by every route.

K types may read activations in another form than other types (tiles.py): each reader of a buffer
has to find what it expects, and a token must be the same bits in any batch.
"""

import numpy as np
import pytest
from blocks import random_blocks
from tensors import PATH, tensor

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.cpu.storage import new_quantized
from ggjit.backends.reference import ReferenceExecutor
from ggjit.formats import all_formats
from ggjit.gguf import Tensor
from ggjit.graph import Attention, Gated, Graph, Param, Routing
from ggjit.kernels.tiles import BLOCKS, BYTES, WIDE

N_VOCAB, WIDTH, N_EXPERTS = 40, 512, 6
FORMATS = {fmt.name: fmt for fmt in all_formats().values()}
MIXTURES = (
    ("q4_k", "q4_k", "q6_k"), ("q4_k", "q6_k", "q5_k"), ("q2_k", "q3_k", "iq4_xs"),
    ("q4_k", "q8_0", "q6_k"), ("q8_0", "q4_0", "q4_k"), ("iq3_xxs", "iq2_s", "q4_k"),
)  # fmt: skip


class Matrices:
    """Random matrices of many types; results stay of the size of their inputs."""

    def __init__(self, seed):
        self.rng, self.n = np.random.default_rng(seed), 0

    def __call__(self, kind, *shape):
        fmt, self.n = FORMATS[kind], self.n + 1
        n_rows = int(np.prod(shape[:-1]))
        blocks = random_blocks(fmt, self.rng, n_rows, shape[-1])
        size = np.sqrt(np.mean(np.square(fmt.decode_rows(blocks.reshape(-1), shape[-1])))) * 25
        floats = blocks.reshape(-1).view(fmt.block)
        for item in floats.dtype.names:
            if floats[item].dtype.kind == "f":
                floats[item] /= size
        return Param(f"{self.n}", Tensor(f"{self.n}", fmt.type, shape, blocks.reshape(-1), 0, PATH))


def dense(kinds, seed=0):
    """Return a graph of attention and a feed-forward part; the first two types share an input."""
    matrix, g = Matrices(seed), Graph()
    ones = Param("norm", tensor("norm", np.ones(WIDTH)))
    x = g.embed(matrix("q8_0", N_VOCAB, WIDTH))
    h = g.rms_norm(x, ones, 1e-5)
    widths = zip(kinds, (512, 128, 128), strict=True)
    q, k, v = (g.linear(h, matrix(kind, n, WIDTH)) for kind, n in widths)
    attended = g.attention(q, k, v, layer=0, n_heads=8, n_kv_heads=2, scale=0.125)
    x = g.add(x, g.linear(attended, matrix(kinds[2], WIDTH, WIDTH)))
    h = g.rms_norm(x, ones, 1e-5)
    gate, up = (g.linear(h, matrix(kind, 768, WIDTH)) for kind in kinds[:2])
    x = g.add(x, g.linear(g.silu_mul(gate, up), matrix(kinds[2], WIDTH, 768)))
    g.linear(g.select(g.rms_norm(x, ones, 1e-5)), matrix(kinds[2], N_VOCAB, WIDTH))
    return g


def sparse(kinds, seed=0):
    """Return a graph of experts; the first two types share an input."""
    matrix, g = Matrices(seed), Graph()
    x = g.embed(matrix("q8_0", N_VOCAB, WIDTH))
    routes = g.route(g.linear(x, matrix("q8_0", N_EXPERTS, WIDTH)), Routing(2))
    stacks = (matrix(kind, N_EXPERTS, WIDTH, WIDTH) for kind in kinds[:2])
    gate, up = (g.expert_linear(x, stack, routes) for stack in stacks)
    h = g.expert_linear(g.silu_mul(gate, up), matrix(kinds[2], N_EXPERTS, WIDTH, WIDTH), routes)
    x = g.add(x, g.combine(h, routes))
    g.linear(g.select(x), matrix(kinds[2], N_VOCAB, WIDTH))
    return g


def logits(executor, ids, size):
    state = executor.new_state()
    runs = [executor.run(state, ids[i : i + size], "all") for i in range(0, len(ids), size)]
    return np.concatenate(runs)


@pytest.mark.parametrize("graph_of", [dense, sparse])
@pytest.mark.parametrize("kinds", MIXTURES, ids="-".join)
def test_types_beside_each_other(graph_of, kinds):
    graph = graph_of(kinds)
    ids = np.random.default_rng(1).integers(0, N_VOCAB, 50).astype(np.int32)
    expected = logits(ReferenceExecutor(graph, 64), ids, 50)
    whole = logits(CPUExecutor(graph, 64, 1), ids, 50)
    assert np.abs(whole - expected).max() < 1e-3 * np.abs(expected).max()
    for n_threads, size, packing in ((2, 1, "always"), (2, 5, "always"), (3, 19, "never")):
        got = logits(CPUExecutor(graph, 64, n_threads, packing=packing), ids, size)
        np.testing.assert_array_equal(got, whole)


@pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS])
def test_who_quantizes_blocks_divides_no_runs(form):
    """Barriers are left out where threads keep to the same runs of 32 columns."""
    executor = CPUExecutor(dense(("q4_k", "q4_k", "q4_k")), 64, 2)
    [gated], [attention] = (
        [op for op in executor._ops if isinstance(op, kind)] for kind in (Gated, Attention)
    )
    for op in (gated, attention):
        executor._storage.quantized[op.out] = new_quantized(op.out.width, 512, form)
    [step] = executor._lowering.lower(gated)
    assert step.writes_by == (None if form == BLOCKS else ("columns", 768))
    names = [step.kernel.name for step in executor._lowering.lower(attention)]
    assert ("quantize" in names) == (form == BLOCKS)
