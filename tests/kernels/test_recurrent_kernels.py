"""Recurrent kernels against plain loops: ragged shapes, in pieces, any number of threads."""

from dataclasses import replace

import numpy as np
import pytest

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Graph, constant

N_VOCAB, WIDTH = 40, 24


def graph_of(rng, n_heads, n_kv_heads, k_dim, v_dim, n_taps, *, delta, wide, tiled, skip):
    g = Graph()
    x = g.embed(constant("e", rng.normal(size=(N_VOCAB, WIDTH))))

    def made(name, width):
        return g.linear(x, constant(name, rng.normal(size=(width, WIDTH)) / WIDTH**0.5))

    q, k = made("q", n_kv_heads * k_dim), made("k", n_kv_heads * k_dim)
    taps = constant("taps", rng.normal(size=(n_heads * v_dim, n_taps)))
    bias = constant("taps.bias", rng.normal(size=n_heads * v_dim))
    v = g.short_conv(made("v", n_heads * v_dim), replace(taps, bias=bias), silu=delta)
    n_decays = n_heads * k_dim if wide else n_heads
    decay = g.softplus(
        made("d", n_decays), constant("d.b", rng.normal(size=n_decays)),
        constant("d.s", -rng.random(n_decays)),
    )  # fmt: skip
    out = g.recurrence(
        g.scale(q, 0.3), g.scale(k, 0.3), v, decay, g.sigmoid(made("b", n_heads)),
        n_heads=n_heads, n_kv_heads=n_kv_heads, delta=delta, tiled=tiled,
        skip=constant("s", rng.normal(size=n_heads)) if skip else None,
    )  # fmt: skip
    g.linear(g.select(out), constant("o", rng.normal(size=(N_VOCAB, out.width))))
    return g


SHAPES = [(1, 1, 1, 1, 2), (6, 2, 7, 5, 4), (4, 4, 33, 32, 3), (3, 1, 16, 70, 1), (5, 5, 20, 31, 5)]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["delta", "delta wide", "delta tiled", "skip"])
def test_recurrence_and_convolution(rng, shape, kind, n_threads):
    flags = {f: f in kind for f in ("delta", "wide", "tiled", "skip")}
    graph = graph_of(rng, *shape, **flags)
    ids = rng.integers(0, N_VOCAB, 23).astype(np.int32)
    reference = ReferenceExecutor(graph, 64)
    expected = reference.run(reference.new_state(), ids, "all")
    executor = CPUExecutor(graph, 64, n_threads)
    state = executor.new_state()
    got = [executor.run(state, ids[a:b], "all") for a, b in ((0, 9), (9, 10), (10, 11), (11, 23))]
    size = np.sqrt(np.mean(expected**2))
    assert np.abs(np.concatenate(got) - expected).max() < 2e-5 * size + 1e-6
    np.testing.assert_array_equal(
        executor.run(executor.new_state(), ids, "all"), np.concatenate(got)
    )


def test_softplus_far_from_zero():
    values = np.array([-100, -20, -1, -1e-3, 0, 1e-3, 1, 20, 100], np.float32)
    g = Graph()
    x = g.embed(constant("e", np.stack([values, values])))
    y = g.softplus(x, constant("b", np.zeros(9)))
    g.linear(g.select(y), constant("o", np.eye(9)))
    executor = CPUExecutor(g, 64, 1)
    [got] = executor.run(executor.new_state(), np.array([1], np.int32))
    np.testing.assert_allclose(
        got, np.logaddexp(0, values.astype(np.float64)), rtol=3e-7, atol=1e-30
    )
