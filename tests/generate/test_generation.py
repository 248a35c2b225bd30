"""Text in, text out: pieces, endings, what is computed and what is counted."""

import math

import numpy as np
import pytest
from fake_engine import EOS, N_VOCAB, FakeFile, FakeTokenizer, fake_model, ids_of, rambling

import ggjit
from ggjit.backends import ContextFull
from ggjit.generate import Model
from ggjit.generate.messages import check_messages

GREEDY = {"temperature": 0.0}


def text_of(generation):
    return "".join(generation)


def test_a_reply_ends_where_the_model_ends_it():
    reply = fake_model("Paris. It is.").generate("Capital?", **GREEDY)
    assert list(reply) == list("Paris. It is.")
    assert reply.ending == "end"
    assert reply.ids == ids_of("Paris. It is.")


def test_a_prompt_of_ids_and_one_of_text_are_the_same():
    model = fake_model(rambling)
    from_text = text_of(model.generate("abc", max_tokens=12, **GREEDY))
    assert text_of(model.generate(np.array(ids_of("abc")), max_tokens=12, **GREEDY)) == from_text
    assert len(from_text) == 12


def test_max_tokens_ends_it_without_a_needless_run():
    model = fake_model("abcdefgh")
    reply = model.generate("x", max_tokens=3, **GREEDY)
    assert text_of(reply) == "abc"
    assert reply.ending == "length"
    assert model.executor.runs == [1, 1, 1]


def test_max_tokens_zero_computes_nothing():
    model = fake_model("abc")
    reply = model.generate("x", max_tokens=0)
    assert text_of(reply) == ""
    assert reply.ending == "length"
    assert model.executor.runs == []


def test_nothing_runs_before_the_first_piece():
    model = fake_model("abc")
    reply = model.generate("x", **GREEDY)
    assert model.executor.runs == []
    assert next(reply) == "a"
    assert model.executor.runs == [1]


def test_a_stop_string_is_not_shown_and_ends_it():
    reply = fake_model("one, two\nUser: three").generate("x", stop=["\nUser:"], **GREEDY)
    assert text_of(reply) == "one, two"
    assert reply.ending == "stop"
    assert text_of(fake_model("a.b").generate("x", stop=".", **GREEDY)) == "a"


def test_characters_are_never_cut():
    pieces = list(fake_model("né 🙂!").generate("x", **GREEDY))
    assert pieces == ["n", "é", " ", "🙂", "!"]


def test_a_half_character_at_the_end_is_replaced():
    assert (
        text_of(fake_model("a🙂").generate("x", max_tokens=3, **GREEDY))
        == "a\N{REPLACEMENT CHARACTER}"
    )


def test_ignore_eos_goes_on():
    reply = fake_model("ab").generate("x", max_tokens=6, ignore_eos=True, **GREEDY)
    assert text_of(reply).startswith("ab")
    assert len(reply.ids) == 6
    assert EOS not in reply.ids


def test_a_full_context_is_raised_after_the_text_that_fits():
    model = fake_model(rambling, n_context=10)
    reply = model.generate("abcd", **GREEDY)
    pieces = []
    with pytest.raises(ContextFull, match="holds 10 tokens: 10 are used and 1 more"):
        pieces.extend(reply)
    whole = text_of(fake_model(rambling).generate("abcd", max_tokens=7, **GREEDY))
    assert "".join(pieces) == whole
    assert reply.ending == "context"


def test_a_full_context_shows_what_was_held_back():
    reply = fake_model("abcdefgh", n_context=5).generate("xx", stop="de", **GREEDY)
    pieces = []
    with pytest.raises(ContextFull):
        pieces.extend(reply)
    assert "".join(pieces) == "abcd"


def test_a_prompt_that_does_not_fit_is_an_error_that_says_so():
    with pytest.raises(ContextFull, match="0 are used and 30 more"):
        next(fake_model("a", n_context=10).generate("x" * 30))


def test_penalties_count_the_prompt_too():
    def next_id(state):
        return ids_of("a")[0]

    model = fake_model(next_id)
    reply = model.generate("aa", max_tokens=1, presence_penalty=20.0, **GREEDY)
    assert text_of(reply) != "a"


def test_a_seed_repeats_the_text():
    def even(state):
        return EOS

    model = fake_model(even)
    bias = {EOS: -math.inf, **dict.fromkeys(ids_of("abcdefgh"), 12.0)}
    options = {"max_tokens": 20, "logit_bias": bias, "top_p": 1.0}
    first = text_of(model.generate("x", seed=11, **options))
    assert text_of(model.generate("x", seed=11, **options)) == first
    assert text_of(model.generate("x", seed=12, **options)) != first


def test_the_files_options_are_the_defaults():
    model = fake_model("abc", **{"general.sampling.temp": 0.0})
    assert model.sampling.temperature == 0.0
    assert model.sampling.top_k == 40


def test_senseless_arguments_are_refused_at_once():
    model = fake_model("abc")
    for arguments, message in [
        ({"prompt": ""}, "no tokens"),
        ({"prompt": [N_VOCAB]}, "token id"),
        ({"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "a", "stop": ""}, "stop string"),
        ({"prompt": "a", "top_p": 3.0}, "top_p"),
        ({"prompt": "a", "logit_bias": {N_VOCAB: 1.0}}, "logit_bias"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.generate(**arguments)
    with pytest.raises(TypeError, match="warmth"):
        model.generate("a", warmth=1)


def test_stats_count_tokens():
    model = fake_model("abcdef")
    reply = model.generate("prompt", max_tokens=4, **GREEDY)
    text_of(reply)
    stats = reply.stats
    assert (stats.n_prompt, stats.n_reused) == (6, 0)
    assert (stats.n_generated, stats.n_decoded, stats.n_past) == (4, 3, 9)
    assert stats.n_context == 1000
    assert stats.prompt_per_s > 0
    assert stats.decode_per_s > 0


def test_an_own_session_goes_on_after_prompt_and_reply():
    model = fake_model(rambling)
    session = model.session()
    first = text_of(model.generate("abc", max_tokens=4, session=session, **GREEDY))
    assert session.ids == ids_of("abc" + first)
    second = text_of(model.generate("de", max_tokens=3, session=session, **GREEDY))
    assert model.executor.runs == [3, 1, 1, 1, 1, 2, 1, 1, 1]
    at_once = model.generate("abc" + first + "de", max_tokens=3, **GREEDY)
    assert second == text_of(at_once)


def test_bos_only_at_the_beginning_of_a_session():
    model = fake_model(rambling)
    model.tokenizer.add_bos = True
    session = model.session()
    text_of(model.generate("a", max_tokens=1, session=session, **GREEDY))
    text_of(model.generate("b", max_tokens=1, session=session, **GREEDY))
    assert session.ids.count(1) == 1
    assert session.ids[0] == 1


def test_a_conversation_is_not_computed_twice():
    model = fake_model("fine")
    messages = [{"role": "user", "content": "how are you"}]
    reply = model.chat(messages, **GREEDY)
    assert text_of(reply) == "fine"
    messages += [
        {"role": "assistant", "content": "fine"},
        {"role": "user", "content": "and you"},
    ]
    again = model.chat(messages, **GREEDY)
    assert text_of(again) == "fine"
    n_first = len(model.chat_template.encode(messages[:1]))
    assert again.stats.n_reused == n_first + len("fine")
    assert again.stats.n_prompt == len(model.chat_template.encode(messages)) - n_first - 4


def test_two_replies_at_once_do_not_disturb_each_other():
    model = fake_model(rambling)
    expected = [text_of(fake_model(rambling).generate(p, max_tokens=8, **GREEDY)) for p in "xy"]
    text_of(model.generate("z", max_tokens=1))  # leaves a session for one of them
    a, b = (model.generate(p, max_tokens=8, **GREEDY) for p in "xy")
    pieces = list(zip(a, b, strict=True))
    assert ["".join(side) for side in zip(*pieces, strict=True)] == expected


def test_a_reply_left_early_returns_its_session():
    model = fake_model(rambling)
    reply = model.generate("abcdef", **GREEDY)
    next(reply)
    reply.close()
    again = model.generate("abcdefg", max_tokens=1, **GREEDY)
    text_of(again)
    assert again.stats.n_reused == 6


def test_an_interrupted_reply_leaves_the_model_usable():
    model = fake_model(rambling)
    reply = model.generate("abc", **GREEDY)
    next(reply)
    model.executor.fail = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        next(reply)
    model.executor.fail = None
    expected = text_of(fake_model(rambling).generate("abc", max_tokens=5, **GREEDY))
    assert text_of(model.generate("abc", max_tokens=5, **GREEDY)) == expected


def test_logits_are_of_every_token_from_an_empty_context():
    model = fake_model(rambling)
    text_of(model.generate("zzz", max_tokens=2))
    logits = model.logits(ids_of("abc"))
    assert logits.shape == (3, N_VOCAB)
    assert logits.dtype == np.float32
    session = model.session()
    for row, id in zip(logits, ids_of("abc"), strict=True):
        np.testing.assert_array_equal(session.feed([id]), row)
    with pytest.raises(ValueError, match="no tokens"):
        model.logits([])


def test_a_base_model_does_not_chat():
    model = fake_model("abc")
    model.chat_template = None
    with pytest.raises(ValueError, match=r"fake\.gguf has no chat template"):
        model.chat([{"role": "user", "content": "hi"}])


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("hi", "must be a mapping, not str"),
        ({"content": "hi"}, "must have a 'role'"),
        ({"role": 1, "content": "hi"}, "must have a 'role'"),
        ({"role": "user"}, "has no 'content'"),
        ({"role": "user", "content": 5}, "'content' must be a str, a list or None, not int"),
    ],
)
def test_what_is_no_message_is_said_by_its_index(wrong, problem):
    model = fake_model("abc")
    with pytest.raises(ValueError, match=r"^messages\[1\]") as caught:
        model.chat([{"role": "user", "content": "hi"}, wrong])
    assert problem in str(caught.value)
    assert not model.executor.runs


def test_messages_of_tool_calls_and_of_parts_are_accepted():
    calls = {"role": "assistant", "tool_calls": []}
    nothing = {"role": "assistant", "content": None}
    check_messages([calls, nothing, {"role": "user", "content": [{"type": "text", "text": "a"}]}])


def test_models_and_sessions_show_what_they_are():
    model = fake_model("abc", n_context=20)
    session = model.session()
    session.feed([5, 6])
    assert repr(session) == "<ggjit.Session: 2 of 20 tokens>"
    assert repr(model) == f"<ggjit.Model fake.gguf: {N_VOCAB} tokens, context 20>"
    assert "vocabulary only" in repr(Model(FakeFile(), FakeTokenizer()))
    model.close()
    assert "closed" in repr(model)


def test_the_error_of_a_full_context_counts_in_words():
    assert ContextFull is ggjit.ContextFull
    assert "2 are used and 1 more does not fit; shorten" in str(ContextFull(2, 1, 2))
    assert "2 are used and 3 more do not fit; shorten" in str(ContextFull(2, 3, 4))


def test_a_vocabulary_alone_computes_nothing():
    model = Model(FakeFile(), FakeTokenizer())
    assert model.tokenizer.encode("ab") == ids_of("ab")
    assert model.n_vocab == N_VOCAB
    for compute in (
        lambda: model.logits([5]),
        lambda: model.generate("a"),
        lambda: model.session(),
        lambda: model.n_context,
    ):
        with pytest.raises(ValueError, match=r"fake\.gguf: opened with vocab_only"):
            compute()


def test_a_closed_model_says_so():
    model = fake_model("abc")
    model.close()
    for compute in (lambda: model.logits([5]), lambda: model.generate("a"), model.session):
        with pytest.raises(ValueError, match=r"fake\.gguf: the model is closed"):
            compute()


@pytest.mark.parametrize("sampling", [GREEDY, {"temperature": 5.0, "seed": 1, "top_k": 0}])
def test_rows_of_logits_beyond_the_vocabulary_are_never_drawn(sampling):
    """Some files pad their matrices: more rows than tokens."""
    model = fake_model(rambling)
    n_tokens = model.tokenizer.n_vocab = ids_of("c")[0]  # "c" and all after it are padding
    prompt = [*ids_of("a"), n_tokens]  # may be fed all the same
    reply = model.generate(prompt, max_tokens=60, ignore_eos=True, repeat_penalty=1.1, **sampling)
    text_of(reply)
    assert len(reply.ids) == 60
    assert max(reply.ids) < n_tokens
    with pytest.raises(ValueError, match=f"logit_bias names token {n_tokens}"):
        model.generate(prompt, logit_bias={n_tokens: 1.0})
