"""States of recurrent layers: in batches, when taken back, and when shared."""

from pathlib import Path

import numpy as np
import pytest

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.generate import Session
from ggjit.gguf import open_gguf
from ggjit.models import architecture_of

DATA = Path(__file__).parents[1] / "models" / "data"
NAMES = ["lfm2_groups", "qwen3next_2_of_5", "kimi_2_of_5", "granitehybrid_experts"]


@pytest.fixture(params=NAMES)
def graph(request):
    file = open_gguf(DATA / f"{request.param}.gguf")
    return architecture_of(file).build(file)


@pytest.fixture
def executor(graph):
    return CPUExecutor(graph, 256, 2)


def prompts(rng, *lengths):
    return [rng.integers(0, 29, n).astype(np.int32) for n in lengths]


def alone(executor, ids):
    return executor.run(executor.new_state(), ids, "all")


def test_sequences_side_by_side(executor, rng):
    many = prompts(rng, 9, 2, 70, 3)
    states = [executor.new_state() for _ in many]
    expected = [alone(executor, ids) for ids in many]
    for cut in (slice(0, 1), slice(1, None)):
        parts = [(state, ids[cut], "all") for state, ids in zip(states, many, strict=True)]
        for got, whole in zip(executor.run_batch(parts), expected, strict=True):
            np.testing.assert_array_equal(got, whole[cut])


def test_going_back_is_to_where_a_prompt_ended(executor, rng):
    [ids] = prompts(rng, 40)
    state = executor.new_state()
    expected = alone(executor, ids)
    executor.run(state, ids[:20])
    for id in ids[20:25]:
        executor.run(state, np.array([id], np.int32))
    assert state.truncate(23) == 20
    np.testing.assert_array_equal(executor.run(state, ids[20:], "all"), expected[20:])
    assert state.truncate(10) == 0
    np.testing.assert_array_equal(executor.run(state, ids, "all"), expected)


def test_forks_go_ways_of_their_own(executor, rng):
    ids, other = prompts(rng, 30, 12)
    state = executor.new_state()
    executor.run(state, ids[:15])
    fork = state.fork()
    got = executor.run(fork, other, "all")
    np.testing.assert_array_equal(got, alone(executor, np.concatenate([ids[:15], other]))[15:])
    np.testing.assert_array_equal(executor.run(state, ids[15:], "all"), alone(executor, ids)[15:])
    assert state.fork(14).n_past == 0
    assert state.fork(15).n_past == 15


def test_nothing_is_left_when_sequences_are_gone(executor, rng):
    state = executor.new_state()
    for ids in prompts(rng, 5, 9, 2, 30, 7, 1):
        executor.run(state, ids)
    forks = [state.fork(), state.fork(30)]
    assert executor._layout.states.pool.n_used > 1
    del state, forks
    assert executor._layout.states.pool.n_used == 0


def test_the_next_turn_goes_on_from_the_last(executor, rng):
    first, reply, second = prompts(rng, 30, 5, 20)
    session = Session(executor)
    session.feed(first)
    for id in reply:
        session.feed([id])
    n_run = session.n_run
    logits = session.resume(np.concatenate([first, reply[:3], second]))
    assert session.n_run - n_run == 3 + 20  # the reply's beginning anew, and what was said then
    whole = np.concatenate([first, reply[:3], second])
    np.testing.assert_array_equal(logits, alone(executor, whole)[-1])


def test_the_reference_starts_anew(graph, rng):
    [ids] = prompts(rng, 12)
    executor = ReferenceExecutor(graph, 64)
    state = executor.new_state()
    executor.run(state, ids)
    assert state.truncate(12) == 12
    assert state.truncate(7) == 0
    np.testing.assert_array_equal(executor.run(state, ids), executor.run(executor.new_state(), ids))
