"""Attention to a chunk of the context: keys since the last multiple of a number of tokens."""

import numpy as np
import pytest

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Graph, constant

N_VOCAB, DIM = 32, 16


def graph_of(rng, window):
    g = Graph()
    x = g.embed(constant("e", rng.normal(size=(N_VOCAB, 2 * DIM))))
    q, k, v = (
        g.linear(x, constant(name, rng.normal(size=(n * DIM, 2 * DIM)) / DIM**0.5))
        for name, n in (("q", 2), ("k", 1), ("v", 1))
    )
    a = g.attention(
        q, k, v, layer=0, n_heads=2, n_kv_heads=1, scale=0.25, window=window, chunked=True
    )
    g.linear(g.select(a), constant("o", rng.normal(size=(N_VOCAB, 2 * DIM))))
    return g


@pytest.mark.parametrize("window", [1, 7, 64, 70, 130, 1000])
def test_only_the_chunk_is_seen(rng, window):
    graph, ids = graph_of(rng, window), rng.integers(0, N_VOCAB, 300).astype(np.int32)
    reference, executor = ReferenceExecutor(graph, 512), CPUExecutor(graph, 512, 2)
    expected = reference.run(reference.new_state(), ids, "all")
    got = executor.run(executor.new_state(), ids, "all")
    assert np.abs(got - expected).max() < 5e-3 * np.sqrt(np.mean(expected**2))
    state = executor.new_state()
    cuts = [(0, 63), (63, 64), (64, 71), (71, 200), (200, 201), (201, 300)]
    parts = [executor.run(state, ids[a:b], "all") for a, b in cuts]
    np.testing.assert_array_equal(np.concatenate(parts), got)


def test_a_chunk_begins_anew(rng):
    graph = graph_of(rng, 8)
    executor = ReferenceExecutor(graph, 64)
    ids = rng.integers(0, N_VOCAB, 20).astype(np.int32)
    whole = executor.run(executor.new_state(), ids, "all")
    np.testing.assert_allclose(
        whole[16:], executor.run(executor.new_state(), ids[16:], "all"), rtol=1e-6
    )
