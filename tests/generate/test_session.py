"""What a session holds, and that it computes nothing twice."""

import numpy as np
import pytest
from fake_engine import N_VOCAB, FakeExecutor, ids_of, rambling

from ggjit.backends import ContextFull
from ggjit.generate import Session, session


@pytest.fixture
def executor():
    return FakeExecutor(rambling, n_context=20)


def from_empty(ids):
    return Session(FakeExecutor(rambling)).feed(ids)


def test_feeding_in_pieces_is_feeding_at_once(executor):
    session = Session(executor)
    session.feed(ids_of("ab"))
    logits = session.feed(np.array(ids_of("cde"), np.int64))
    assert logits.shape == (N_VOCAB,)
    np.testing.assert_array_equal(logits, from_empty(ids_of("abcde")))
    assert session.ids == ids_of("abcde")
    assert session.n_past == 5


def test_resume_computes_only_what_differs(executor):
    session = Session(executor)
    session.feed(ids_of("abcdef"))
    logits = session.resume(ids_of("abcxyz"))
    assert executor.runs == [6, 3]
    assert session.ids == ids_of("abcxyz")
    np.testing.assert_array_equal(logits, from_empty(ids_of("abcxyz")))


@pytest.mark.parametrize("text", ["abcdef", "abc"])
def test_resume_with_what_it_holds_computes_the_last_token(executor, text):
    session = Session(executor)
    session.feed(ids_of("abcdef"))
    np.testing.assert_array_equal(session.resume(ids_of(text)), from_empty(ids_of(text)))
    assert executor.runs == [6, 1]
    assert session.ids == ids_of(text)


def test_reset_forgets_everything(executor):
    session = Session(executor)
    session.feed(ids_of("abc"))
    session.reset()
    assert session.ids == []
    np.testing.assert_array_equal(session.feed(ids_of("xy")), from_empty(ids_of("xy")))


def test_a_full_context_changes_nothing(executor):
    session = Session(executor)
    session.feed(ids_of("a" * 18))
    with pytest.raises(ContextFull, match="18 are used and 3 more do not fit"):
        session.feed(ids_of("bcd"))
    assert session.n_past == 18
    session.feed(ids_of("bc"))
    with pytest.raises(ContextFull):
        session.resume(ids_of("b" * 21))


def test_a_state_that_cannot_go_back_is_computed_again(executor):
    session = Session(executor)
    session.feed(ids_of("abcdef"))
    session._state.window_start = 5
    session.truncate(3)
    assert session.ids == ids_of("abc")
    np.testing.assert_array_equal(session.feed(ids_of("xy")), from_empty(ids_of("abcxy")))
    assert executor.runs == [6, 5]
    assert session.n_run == 11


def test_a_fork_goes_its_own_way(executor):
    session = Session(executor)
    session.feed(ids_of("abc"))
    fork = session.fork()
    np.testing.assert_array_equal(session.feed(ids_of("de")), from_empty(ids_of("abcde")))
    np.testing.assert_array_equal(fork.feed(ids_of("xy")), from_empty(ids_of("abcxy")))
    assert executor.runs == [3, 2, 2]
    assert (session.ids, fork.ids) == (ids_of("abcde"), ids_of("abcxy"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("read error")])
def test_an_interrupt_leaves_the_session_as_it_was(executor, error):
    session = Session(executor)
    session.feed(ids_of("abc"))
    executor.fail = error
    with pytest.raises(type(error)):
        session.feed(ids_of("defg"))
    executor.fail = None
    assert session.ids == ids_of("abc")
    np.testing.assert_array_equal(session.feed(ids_of("x")), from_empty(ids_of("abcx")))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "no tokens"),
        ([5, N_VOCAB], rf"token id {N_VOCAB} \(number 1\) is not in 0 to {N_VOCAB - 1}"),
        ([-1], "token id -1"),
        ([2**40], "token id 1099511627776"),
        ([1.5], "whole numbers"),
        ([True, False], "whole numbers"),
        ([[1, 2]], "flat list"),
    ],
)
def test_senseless_ids_are_refused(executor, ids, message):
    session = Session(executor)
    with pytest.raises(ValueError, match=message):
        session.feed(ids)
    assert executor.runs == []


def test_who_listens_is_told_of_long_prompts(executor, monkeypatch):
    """What is computed is the same as without."""
    monkeypatch.setattr(session, "PIECE", 4)
    ids, told = ids_of("abcdefghijk"), []
    alone = from_empty(ids)
    watched = Session(executor)
    watched.progress = lambda *what: told.append(what)
    np.testing.assert_array_equal(watched.feed(ids), alone)
    assert told == [("reading", 4, 11), ("reading", 8, 11), ("reading", 11, 11)]
    watched.feed(ids[:3])
    assert len(told) == 3
