"""The reference backend's own interface; what it computes is tested in tests/models."""

import numpy as np
import pytest
from random_graphs import N_VOCAB, random_graph

from ggjit.backends import ContextFull
from ggjit.backends.reference import ReferenceExecutor, softmax


@pytest.fixture
def executor():
    return ReferenceExecutor(random_graph(np.random.default_rng(3), n_ops=10), 32)


IDS = np.arange(20, dtype=np.int32)


def test_logits(executor):
    assert executor.n_vocab == N_VOCAB
    whole = executor.run(executor.new_state(), IDS, "all")
    assert whole.shape == (20, N_VOCAB)
    assert whole.dtype == np.float32
    last = executor.run(executor.new_state(), IDS)
    np.testing.assert_allclose(last, whole[-1:], atol=1e-5)


def test_a_state_can_be_cut_and_continued(executor):
    whole = executor.run(executor.new_state(), IDS, "all")
    state = executor.new_state()
    executor.run(state, IDS[::-1].copy()[:15])
    state.truncate(0)
    executor.run(state, IDS[:10])
    executor.run(state, IDS[:4])
    state.truncate(10)
    np.testing.assert_allclose(executor.run(state, IDS[10:], "all"), whole[10:], atol=1e-5)


def test_every_result_can_be_seen(executor):
    seen = []
    executor.trace = lambda op, result: seen.append((op, result))
    executor.run(executor.new_state(), IDS[:3])
    assert [op for op, _ in seen] == executor.graph.ops
    for op, result in seen:
        chosen = (op.out.n_chosen,) if op.out.n_chosen else ()
        assert result.shape == (1 if op.out.selected else 3, *chosen, op.out.width)


def test_a_full_context(executor):
    state = executor.new_state()
    executor.run(state, IDS)
    with pytest.raises(ContextFull):
        executor.run(state, IDS)
    assert state.n_past == 20


def test_softmax_of_large_numbers():
    x = np.array([[1e4, 1e4, -np.inf]], np.float32)
    np.testing.assert_array_equal(softmax(x), [[0.5, 0.5, 0]])
