"""`ggjit run`: what is printed where, and where the prompt comes from."""

import re

import numpy as np
import pytest
from fake_engine import FakeTokenizer, fake_model, ids_of, rambling

GREEDY = ("--temp", "0")


@pytest.fixture
def run(ggjit_command, fake_load, model_file):
    def run(*args, model="Paris.", stdin=None, name=True):
        fake_load.model = fake_model(model) if isinstance(model, str) else model
        named = [model_file] if name else []
        return ggjit_command("run", *named, *GREEDY, *args, stdin=stdin)

    return run


def said_to_the_model(model):
    """The ids of the first prompt that the model got."""
    return model._idle[0].ids[: model.executor.runs[0]]


def test_raw_prints_exactly_the_continuation(run):
    outcome = run("-p", "Capital?", "--raw")
    assert (outcome.code, outcome.out, outcome.err) == (0, "Paris.", "")
    assert run("-p", "x", "--raw", "-n", "3").out == "Par"
    assert run("-p", "x", "--raw", "--n-predict", "3").out == "Par"
    assert run("-p", "x", "--raw", "--predict", "0").out == ""


def test_without_raw_the_prompt_goes_through_the_template(run):
    model = fake_model("Paris.")
    outcome = run("-p", "Capital?", "-sys", "Be brief.", model=model)
    assert outcome.out == "Paris.\n"
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital?"},
    ]
    assert said_to_the_model(model) == model.chat_template.encode(messages)


@pytest.mark.parametrize(
    ("stdin", "seen"),
    [("from a pipe", "from a pipe"), ("a\nb\n", "a\nb"), ("a\r\n", "a"), ("é\n\n", "é\n")],
)
def test_the_prompt_may_be_piped_in(run, stdin, seen):
    for args in ((), ("-p", "-")):
        model = fake_model("x")
        assert run("--raw", *args, model=model, stdin=stdin).code == 0
        assert said_to_the_model(model) == ids_of(seen)


def test_the_prompt_may_be_in_a_file(run, tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("from a file\n", newline="")
    model = fake_model("x")
    assert run("--raw", "-f", path, model=model).code == 0
    assert said_to_the_model(model) == ids_of("from a file")


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        ((), None, "there is no prompt"),
        (("-p", "a", "-f", "b"), None, "two prompts"),
        (("-f", "/nowhere/prompt.txt"), None, "/nowhere/prompt.txt: No such file"),
        ((), b"ab\xff", "standard input is not UTF-8 text at byte 2"),
        (("-p", "a\udcff"), None, "-p is not UTF-8 text at character 1"),
        (("-p", "", "--raw"), None, "the prompt is empty"),
        (("-p", ""), None, "the prompt is empty"),
        (("-f", "/dev/null"), None, "the prompt is empty"),
        ((), "", "the prompt is empty"),
        ((), "\n", "the prompt is empty"),
        (("-p", "a", "-n", "-2"), None, "-n must be -1 or more, not -2"),
        (("-p", "a", "--top-p", "1.5"), None, "top_p must be a number from 0 to 1, not 1.5"),
        (("-p", "a", "--temp", "nan"), None, "temperature must be"),
        (("-p", "a", "-s", "-5"), None, "seed must be"),
        (("-p", "a", "-r", ""), None, "stop string"),
        (("-p", "a", "--logit-bias", "5"), None, "--logit-bias must be like"),
        (("-p", "a", "--logit-bias", "5+inf"), None, "logit_bias of token 5"),
        (("-p", "a", "--logit-bias", "100000+1"), None, "logit_bias names token 100000"),
        (("-p", "a", "--raw", "-sys", "b"), None, "-sys needs the chat template"),
        (("-p", "a", "--special"), None, "--special needs --raw"),
        (("-p", "a", "-m", "other.gguf"), None, "two models were named"),
        (("-p", "a", "--ctx", "1"), None, "No such option: --ctx"),
        (("-p", "a", "-ngl", "99"), None, "No such option: -ngl"),
        (("-v", "-ctx", "99"), None, "No such option: -ctx"),
        (("-p", "-ngl", "-n", "many"), None, "Invalid value for '-n'"),
        (("-p", "a", "-n", "many"), None, "Invalid value for '-n'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, args, stdin, message):
    outcome = run(*args, stdin=stdin)
    assert outcome.code == 2
    assert outcome.out == ""
    assert re.fullmatch(r"ggjit: error: [^\n]+\n", outcome.err)
    assert message in outcome.err


def test_no_such_model_is_one_line_that_names_it(run):
    outcome = run("-p", "a", "-m", "no-such.gguf", name=False)
    assert outcome.code == 2
    assert outcome.err.startswith("ggjit: error: no-such.gguf: no such file")


def test_sampling_options_reach_the_model(run, monkeypatch):
    model, seen = fake_model("x"), {}
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda ids, **o: seen.update(o) or generate(ids, **o))
    args = "--top-k 5 --top-p .9 --min-p .1 --typical .8 --repeat-penalty 1.1 --repeat-last-n 9"
    args += " --presence-penalty .2 --frequency-penalty .3 -s 7 --logit-bias 5-1.5 -l 6-inf"
    run("-p", "a", "--raw", *args.split(), "-r", "stop", "-r", "halt", "--ignore-eos", model=model)
    assert seen == {
        "max_tokens": None,
        "stop": ["stop", "halt"],
        "ignore_eos": True,
        "temperature": 0.0,
        "top_k": 5,
        "top_p": 0.9,
        "min_p": 0.1,
        "typical_p": 0.8,
        "repeat_penalty": 1.1,
        "repeat_last_n": 9,
        "presence_penalty": 0.2,
        "frequency_penalty": 0.3,
        "seed": 7,
        "logit_bias": {5: -1.5, 6: float("-inf")},
    }


def test_what_is_not_given_is_left_to_the_file(run, monkeypatch):
    model, seen = fake_model("x"), {}
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda ids, **o: seen.update(o) or generate(ids, **o))
    run("-p", "a", "--raw", "-s", "-1", model=model)
    assert seen == {"max_tokens": None, "stop": (), "ignore_eos": False, "temperature": 0.0}


def test_load_options_reach_load(run, fake_load, model_file):
    options = ("--check", "-t", "3", "-c", "512", "--backend", "reference", "-m", model_file)
    run("-p", "a", *options, "-ctk", "Q8_0", "-ctv", "bf16", "--latent", "absorbed", name=False)
    given = {k: str(v) for k, v in fake_load.arguments.items() if k != "progress"}
    expected = {"path": model_file, "threads": "3", "context": "512", "backend": "reference"}
    expected |= {"cache_type_k": "q8_0", "cache_type_v": "bf16", "latent": "absorbed"}
    assert given == expected | {"activations": "16", "check": "True", "pack": "auto"}


def test_stop_strings_and_special_tokens(run):
    assert run("-p", "x", "--raw", "-r", "is.").out == "Par"
    model = fake_model("x")
    run("-p", "<turn>hi", "--raw", "--special", model=model)
    expected = FakeTokenizer().encode("<turn>hi", special=True)
    assert said_to_the_model(model) == expected != ids_of("<turn>hi")


def test_a_context_that_ends_a_reply_is_said_on_a_line_of_its_own(run):
    note = "the reply ends here: its context of 8 tokens is full (-c sets it)\n"
    outcome = run("-p", "abc", "--raw", model=fake_model(rambling, n_context=8))
    assert (outcome.code, outcome.err) == (0, f"\n{note}")
    assert re.fullmatch(r"[a-z]{6}", outcome.out)
    outcome = run("-p", "a", model=fake_model(rambling, n_context=8))
    assert (outcome.code, outcome.err) == (0, note)
    assert re.fullmatch(r"[a-z]+\n", outcome.out)


def test_a_prompt_that_does_not_fit_is_an_error(run):
    outcome = run("-p", "abcd", "--raw", model=fake_model(rambling, n_context=3))
    assert (outcome.code, outcome.out) == (2, "")
    assert "the context holds 3 tokens" in outcome.err


def test_no_line_break_where_there_is_no_text(run):
    outcome = run("-p", "long " * 20, model=fake_model(rambling, n_context=20))
    assert (outcome.code, outcome.out) == (2, "")
    assert run("-p", "x", "-n", "0").out == ""


def test_a_prompt_in_the_place_of_the_model_is_recognised(run):
    outcome = run("hello how are you", name=False, stdin="hi")
    assert outcome.code == 2
    assert "that needs -p before it" in outcome.err


def test_a_base_model_is_told_apart(run):
    model = fake_model("x")
    model.chat_template = None
    outcome = run("-p", "abc", model=model)
    assert outcome.code == 2
    assert "no chat template" in outcome.err
    assert "--raw" in outcome.err
    assert run("-p", "abc", "--raw", model=model).code == 0


def test_timings_only_when_asked(run):
    outcome = run("-p", "abc", "--raw", "-v")
    assert outcome.out == "Paris."
    assert re.search(r"prompt 3 tokens .* t/s, reply 6 tokens .* context 9 / 1000", outcome.err)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            OSError(28, "No space left on device", "/cache/x"),
            3,
            "/cache/x: No space left on device",
        ),
        (MemoryError(), 3, "out of memory"),
        (np._core._exceptions._ArrayMemoryError((2**40,), np.dtype("f4")), 3, "out of memory: "),
        (ValueError("two\nlines\x1b[2J"), 2, r"two\nlines\x1b[2J"),
    ],
)
def test_faults_while_it_runs(run, error, code, message):
    model = fake_model("abc")
    model.executor.fail = error
    outcome = run("-p", "abc", "--raw", model=model)
    assert outcome.code == code
    assert outcome.err.startswith(f"ggjit: error: {message}")
    assert outcome.err.count("\n") == 1


def test_an_interrupt_is_130_and_silent(run):
    model = fake_model("abc")
    model.executor.fail = KeyboardInterrupt()
    outcome = run("-p", "abc", "--raw", model=model)
    assert (outcome.code, outcome.err) == (130, "")


def test_a_bug_keeps_its_traceback(run):
    model = fake_model("abc")
    model.executor.fail = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        run("-p", "abc", "--raw", model=model)


def test_debug_shows_every_traceback(run, monkeypatch):
    monkeypatch.setenv("GGJIT_DEBUG", "1")
    with pytest.raises(ValueError, match="top_k"):
        run("-p", "abc", "--raw", "--top-k", "-7")
