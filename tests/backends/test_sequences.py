"""Sequences of the CPU backend: cut, continued, forked, side by side, and gone wrong."""

import gguf
import numpy as np
import pytest
from random_graphs import N_VOCAB, random_graph
from running import IDS, everything, relative_error
from tensors import param, tensor

from ggjit.backends import ContextFull
from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.cpu.executor import N_SELECTED
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Graph, Param

KINDS = gguf.GGMLQuantizationType


@pytest.fixture(scope="module", params=[KINDS.Q4_0, KINDS.F32], ids=lambda k: k.name)
def executor(files, request):
    return CPUExecutor(files(request.param), 100, 2)


@pytest.fixture(scope="module")
def whole(executor):
    return everything(executor, IDS[:100])


def test_states_do_not_mix(executor, whole):
    one, other = executor.new_state(), executor.new_state()
    for i in range(0, 60, 5):
        got = executor.run(one, IDS[i : i + 5])
        executor.run(other, IDS[199 - i - 5 : 199 - i])
        np.testing.assert_array_equal(got[0], whole[i + 4])


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 63, 64, 65, 79])
def test_a_state_can_be_cut_and_continued(executor, whole, n):
    state = executor.new_state()
    executor.run(state, IDS[:n] if n else IDS[:1])
    state.truncate(n)
    executor.run(state, IDS[100:120])
    state.truncate(n)
    assert state.n_past == n
    np.testing.assert_array_equal(executor.run(state, IDS[n : n + 5])[0], whole[n + 4])


def test_the_context_can_be_filled_to_the_last_token(executor, whole):
    state = executor.new_state()
    executor.run(state, IDS[:99])
    np.testing.assert_array_equal(executor.run(state, IDS[99:100])[0], whole[99])


@pytest.mark.parametrize(("held", "more"), [(0, 101), (95, 6), (100, 1), (1, 10_000)])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_full_context_is_said_and_harms_nothing(files, executor, whole, held, more, backend):
    if backend == "reference":
        executor = ReferenceExecutor(files(KINDS.F32), 100)
    state = executor.new_state()
    if held:
        executor.run(state, IDS[:held])
    with pytest.raises(ContextFull, match=f"holds 100 tokens: {held} are used and {more} more"):
        executor.run(state, np.resize(IDS, more))
    assert state.n_past == held
    if held + 3 <= 100 and backend == "cpu":
        np.testing.assert_array_equal(executor.run(state, IDS[held : held + 3])[0], whole[held + 2])


def test_what_is_returned_is_the_callers(executor):
    first = executor.run(executor.new_state(), IDS[:3])
    kept = first.copy()
    executor.run(executor.new_state(), IDS[50:60])
    np.testing.assert_array_equal(first, kept)


def test_plain_lists_and_other_integers_are_ids(executor):
    expected = executor.run(executor.new_state(), IDS[:4])
    got = executor.run(executor.new_state(), IDS[:4].astype(np.int64).tolist())
    np.testing.assert_array_equal(got, expected)


# -- several sequences ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_sequences_beside_each_other_are_as_alone(seed):
    """Random graphs with windows, caps and sinks; ragged parts, some forked from others."""
    rng = np.random.default_rng(100 + seed)
    graph = random_graph(rng, n_ops=10)
    executor = CPUExecutor(graph, 200, 2)
    prompts = [rng.integers(0, N_VOCAB, 200).astype(np.int32) for _ in range(5)]
    alone = [everything(executor, ids, 50) for ids in prompts]
    reference = everything(ReferenceExecutor(graph, 200), prompts[0])
    assert relative_error(alone[0], reference) < 0.01
    states = [executor.new_state() for _ in prompts]
    while min(s.n_past for s in states) < 200:
        parts, wanted = [], []
        for i in rng.permutation(5):
            start = states[i].n_past
            end = min(200, start + int(rng.choice([0, 1, 2, 30, 100])))
            if end == start:
                continue
            if rng.random() < 0.2:
                states[i] = states[i].fork()
            logits = str(rng.choice(["all", "last", "none"]))
            parts.append((states[i], prompts[i][start:end], logits))
            n = {"all": end - start, "last": 1, "none": 0}[logits]
            wanted.append(alone[i][end - n : end])
        if parts:
            for got, expected in zip(executor.run_batch(parts), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)


def test_a_fork_goes_its_own_way(executor, whole):
    state = executor.new_state()
    executor.run(state, IDS[:80])
    forks = [state.fork(n) for n in (80, 70, 64, 10, 0)]
    executor.run(state, IDS[150:170])
    for fork in forks:
        executor.run(fork, IDS[120:125])
    for fork, n in zip(forks, (80, 70, 64, 10, 0), strict=True):
        fork.truncate(n)
        got = executor.run(fork, IDS[n : n + 20], "all")
        np.testing.assert_array_equal(got, whole[n : n + 20])


def test_more_logits_than_one_run_takes(executor, whole):
    states = [executor.new_state() for _ in range(N_SELECTED + 3)]
    got = executor.run_batch([(state, IDS[: 1 + i % 20], "last") for i, state in enumerate(states)])
    for i, row in enumerate(got):
        np.testing.assert_array_equal(row[0], whole[i % 20])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_batch_that_cannot_be_run_changes_nothing(files, executor, backend):
    if backend == "reference":
        executor = ReferenceExecutor(files(KINDS.F32), 100)
    one, other = executor.new_state(), executor.new_state()
    with pytest.raises(ContextFull):
        executor.run_batch([(one, IDS[:5], "last"), (other, IDS[:101], "last")])
    with pytest.raises(ValueError, match="no tokens"):
        executor.run_batch([(one, IDS[:5], "last"), (other, IDS[:0], "last")])
    with pytest.raises(ValueError, match="two parts"):
        executor.run_batch([(one, IDS[:5], "last"), (one, IDS[:5], "last")])
    assert one.n_past == other.n_past == 0
    assert executor.run_batch([]) == []


def test_a_windows_sequence_can_be_cut_or_says_that_it_cannot():
    graph, window = Graph(), 40
    x = graph.embed(param("e", (48, 32)))
    q, k, v = (graph.linear(x, param(name, (64, 32))) for name in "qkv")
    a = graph.attention(q, k, v, layer=0, n_heads=2, n_kv_heads=2, scale=0.2, window=window)
    graph.linear(graph.select(a), param("o", (48, 64)))
    executor = CPUExecutor(graph, 4000, 2)
    ids = np.resize(IDS % 48, 4000)
    whole = everything(executor, ids)
    used = executor._layout.n_bytes
    assert used < 4000 * 2 * 64 * 2 * 0.4
    state = executor.new_state()
    executor.run(state, ids[:3000])
    assert state.truncate(2600) == 2600
    np.testing.assert_array_equal(executor.run(state, ids[2600:2700])[0], whole[2699])
    assert state.truncate(100) == 0
    np.testing.assert_array_equal(executor.run(state, ids[:3000])[0], whole[2999])


# -- one bad token --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [3e38, 1e30])
@pytest.mark.parametrize("kind", [KINDS.F32, KINDS.Q8_0], ids=lambda k: k.name)
def test_a_sequence_that_goes_wrong_does_not_spoil_the_next(bad, kind):
    """Rows of 24 floats are padded to 32: nothing may stay behind in the padding."""
    rng, width = np.random.default_rng(1), 24 if kind == KINDS.F32 else 32
    embedding = rng.normal(size=(8, width))
    embedding[5] = bad
    graph = Graph()
    x = graph.embed(Param("e", tensor("e.weight", embedding)))
    for i in range(2):
        h = graph.rms_norm(x, Param("n", tensor(f"n{i}", np.ones(width))), 1e-5)
        values = rng.normal(size=(width, width))
        x = graph.add(x, graph.linear(h, Param("w", tensor(f"w{i}", values, kind))))
    graph.linear(graph.select(x), Param("o", tensor("o", embedding[:5])))
    executor = CPUExecutor(graph, 16, 1)
    good = np.array([1, 2, 3, 4], np.int32)
    expected = everything(executor, good)
    wrong = everything(executor, np.array([5, 5, 5, 5], np.int32))
    assert not np.array_equal(wrong, expected)
    np.testing.assert_array_equal(everything(executor, good), expected)
