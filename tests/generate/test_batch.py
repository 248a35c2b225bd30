"""Several prompts at once: the replies of each alone, with what is common computed once."""

import numpy as np
import pytest
from fake_engine import FakeExecutor, FakeState, fake_model, ids_of, rambling

from ggjit.backends import ContextFull
from ggjit.generate.prompts import SHARED, read_beginning, read_prompts

GREEDY = {"temperature": 0.0}
LONG = "".join(chr(97 + i % 26) for i in range(3 * SHARED))


def alone(prompt, **options):
    return "".join(fake_model(rambling).generate(prompt, **options))


@pytest.mark.parametrize("options", [GREEDY, {"seed": 5, "temperature": 1.0, "top_k": 50}])
@pytest.mark.parametrize("n_together", [1, 2, 64])
def test_each_reply_is_the_one_its_prompt_alone_would_get(options, n_together):
    prompts = ["a", "bcd", LONG + "x", LONG + "y", LONG, "a", LONG[:40] + "z", "bcd" * 20]
    replies = fake_model(rambling).generate_batch(
        prompts, max_tokens=9, n_together=n_together, **options
    )
    assert [str(r) for r in replies] == [alone(p, max_tokens=9, **options) for p in prompts]
    assert [r.ending for r in replies] == ["length"] * 8


def test_pieces_come_side_by_side():
    generation = fake_model(rambling).stream_batch(["ab", "c"], max_tokens=3, **GREEDY)
    assert generation._executor.batches == []
    pieces = list(generation)
    assert [i for i, _ in pieces] == [0, 1, 0, 1, 0, 1]
    for i, reply in enumerate(generation.replies):
        assert "".join(text for j, text in pieces if i == j) == reply.text


def test_replies_that_end_leave_and_others_take_their_place():
    model = fake_model("abc")
    replies = model.generate_batch(["x"] * 5, n_together=2, **GREEDY)
    assert [(r.text, r.ending) for r in replies] == [("abc", "end")] * 5
    assert max(len(batch) for batch in model.executor.batches) == 2


def test_stop_strings_and_limits():
    model = fake_model("one two three")
    replies = model.generate_batch(["a", "b"], stop="two", **GREEDY)
    assert [(r.text, r.ending) for r in replies] == [("one ", "stop")] * 2
    assert model.generate_batch(["a"], max_tokens=0)[0].ending == "length"
    assert model.generate_batch([]) == []


def test_a_full_context_ends_one_reply_only():
    model = fake_model(rambling, n_context=10)
    replies = model.generate_batch(["abcdefg", "a"], max_tokens=8, **GREEDY)
    assert [r.ending for r in replies] == ["context", "length"]
    assert len(replies[0].ids) == 4
    with pytest.raises(ContextFull):
        model.generate_batch(["a", "b" * 11])


def test_what_is_common_is_computed_once():
    model = fake_model(rambling)
    generation = model.stream_batch([LONG + c for c in "xyz"], max_tokens=1, **GREEDY)
    replies = generation.finish()
    assert model.executor.runs == [len(LONG), 1, 1, 1]
    assert generation.stats.n_prompt == len(LONG) + 3
    assert [r.stats.n_reused for r in replies] == [len(LONG)] * 3
    assert generation.stats.n_generated == 3


def test_a_tree_of_beginnings():
    executor = FakeExecutor(rambling)
    texts = [LONG + LONG + "a", LONG + LONG + "b", LONG + "c", LONG + "d", "e", LONG + LONG + "a"]
    prompts = [np.array(ids_of(text), np.int32) for text in texts]
    beginning = read_beginning(executor, prompts)
    assert beginning.n_past == 0
    read = read_prompts(executor, beginning, prompts)
    assert [r.state.ids for r in read] == [ids_of(text) for text in texts]
    assert sum(r.n_run for r in read) == sum(executor.runs) == 2 * len(LONG) + 6
    for text, got in zip(texts, read, strict=True):
        ids = np.array(ids_of(text), np.int32)
        np.testing.assert_array_equal(got.logits, FakeExecutor(rambling).run(FakeState(), ids)[0])


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ("abc", {}, "a list of prompts"),
        (["a", ""], {}, "no tokens"),
        (["a"], {"n_together": 0}, "n_together must be 1 or more"),
        (["a", [10**6]], {}, "token id 1000000"),
    ],
)
def test_senseless_batches_are_refused(prompts, options, message):
    model = fake_model(rambling)
    with pytest.raises(ValueError, match=message):
        model.generate_batch(prompts, **options)
    assert model.executor.runs == []
