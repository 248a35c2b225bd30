"""`ggjit perplexity`: what is measured, printed and refused."""

import json

import pytest
from fake_engine import BOS, N_VOCAB, fake_model, rambling

from ggjit.cli import perplexity_measure
from ggjit.measure import LogitsFile, LogitsWriter

TEXT = "ein text aus fuenfzig Zeichen, damit es zwei sind."


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT + "\n")
    return str(path)


@pytest.fixture
def ref(tmp_path):
    return str(tmp_path / "x.logits")


@pytest.fixture
def run(ggjit_command, fake_load, model_file):
    """Run the command, any number of times, on a fake model."""
    fake_load.model = fake_model(rambling)
    fake_load.model.close = lambda: None
    return lambda *args, **options: ggjit_command("perplexity", model_file, *args, **options)


def test_a_text(run, text_file, fake_load):
    outcome = run(text_file, "-c", "20", "-t", "1", "--activations", "8")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = outcome.out.splitlines()
    assert first.startswith("Final estimate: PPL = ")
    assert second.startswith("18 tokens scored in 2 windows of 20; ")
    wanted = {"context": 20, "threads": 1, "activations": 8, "backend": "cpu"}
    assert wanted.items() <= fake_load.arguments.items()


def test_timings(run, text_file):
    assert run(text_file, "-c", "20", "-v").err.startswith("load 0.00 s (compiling 0.00 s), meas")


def test_windows_are_of_512_tokens(run, text_file, fake_load):
    outcome = run(text_file)
    assert fake_load.arguments["context"] == 512
    assert outcome.code == 2
    assert outcome.err == "ggjit: error: the text has 50 tokens, a window needs 512\n"


def test_ways_to_name_the_text(run, text_file):
    wanted = run(text_file, "-c", "20", "--json")
    assert wanted.code == 0
    for args in (("-f", text_file), ("-f", "-"), ("-",)):
        outcome = run(*args, "-c", "20", "--json", stdin=TEXT)
        found = [json.loads(o.out)["perplexity"] for o in (outcome, wanted)]
        assert found[0] == found[1]


def test_figures_as_json(run, text_file, model_file):
    found = json.loads(run(text_file, "-c", "20", "--chunks", "1", "--json").out)
    assert found["model"] == model_file
    assert (found["n_windows"], found["n_context"], found["n_scored"]) == (1, 20, 9)
    assert found["perplexity"]["value"] > 1
    assert found["perplexity"]["error"] > 0


def test_a_bos_token_takes_the_place_of_each_windows_first(run, text_file, fake_load, monkeypatch):
    fake_load.model.tokenizer.add_bos = True
    seen = []
    executor = fake_load.model.executor
    execute = executor.run
    monkeypatch.setattr(
        executor, "run", lambda s, ids, *a: seen.append(ids.tolist()) or execute(s, ids, *a)
    )
    assert run(text_file, "-c", "20").code == 0
    starts = [ids[0] for ids in seen[::2]]
    assert starts == [BOS, BOS]


def test_predictions_are_kept_and_compared(run, text_file, ref):
    kept = run(text_file, "-c", "20", "--save-logits", ref, "--json")
    file = LogitsFile(ref)
    assert (file.ids.shape, file.n_vocab) == ((2, 20), N_VOCAB)
    for args in ((), (text_file,), ("-c", "20")):
        found = json.loads(run("--kl", ref, *args, "--json").out)
        assert found["perplexity"] == pytest.approx(json.loads(kept.out)["perplexity"])
        assert found["base_perplexity"]["value"] == pytest.approx(
            found["perplexity"]["value"], rel=1e-3
        )
        assert abs(found["kl"]["mean"]["value"]) < 1e-4
        assert found["same_top"] == {"value": 1, "error": 0}
        assert {"max", "99.9%", "50%", "0.1%", "min"} < set(found["kl"])
        assert {"mean", "rms", "75%", "25%"} < set(found["delta_p"])


def test_a_comparison_in_words(run, text_file, ref):
    run(text_file, "-c", "20", "--save-logits", ref)
    outcome = run("--kl", ref, "--chunks", "1")
    for label in ("Mean PPL(base)", "Mean    KLD", "99.9%   KLD", "RMS Δp", "Same top p"):
        assert any(line.startswith(label) for line in outcome.out.splitlines())
    assert "9 tokens scored in 1 window of 20" in outcome.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "there is no text"),
        (("TEXT", "-f", "TEXT"), "two texts"),
        (("TEXT", "--chunks", "0"), "--chunks"),
        (("TEXT", "--chunks", "-2"), "--chunks"),
        (("TEXT", "-c", "2"), "too small"),
        (("TEXT", "--kl", "TEXT"), "no file of logits"),
        (("--kl", "REF", "--save-logits", "REF"), "two measurements"),
        (("--kl", "REF", "-c", "30"), "windows of 20 tokens"),
        (("OTHER", "--kl", "REF"), "another text"),
        (("nothing.txt",), "nothing.txt: No such file"),
    ],
)
def test_what_is_refused(run, text_file, ref, tmp_path, args, says):
    (tmp_path / "other.txt").write_text(TEXT.upper())
    assert run(text_file, "-c", "20", "--save-logits", ref).code == 0
    names = {"TEXT": text_file, "REF": ref, "OTHER": tmp_path / "other.txt"}
    outcome = run(*(names.get(arg, arg) for arg in args))
    assert outcome.code == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_an_error_leaves_no_half_file(run, text_file, ref, fake_load, tmp_path):
    fake_load.model.executor.fail = ValueError("broken")
    assert run(text_file, "-c", "20", "--save-logits", ref).code == 2
    assert not [path for path in tmp_path.iterdir() if "logits" in path.name]


def test_what_is_no_regular_file_is_never_replaced(run, text_file, tmp_path, fake_load):
    fake_load.model = None  # which is not asked for first
    outcome = run(text_file, "-c", "20", "--save-logits", tmp_path)
    assert outcome.code == 2
    assert outcome.err.endswith(f"{tmp_path} is not a regular file, and is not written over\n")


def test_a_full_disk_is_said_with_the_files_name(run, text_file, ref, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LogitsWriter, "add", full)
    outcome = run(text_file, "-c", "20", "--save-logits", ref)
    assert (outcome.code, outcome.err) == (3, f"ggjit: error: {ref}: No space left on device\n")


def test_a_person_sees_how_far_it_is(run, text_file, monkeypatch):
    shown = []
    monkeypatch.setattr(perplexity_measure, "show_status", shown.append)
    assert run(text_file, "-c", "20").code == 0
    assert shown[0] == "window 1/2"
    assert shown[1].startswith("window 1/2: perplexity ")
    assert shown[2].startswith("window 2/2: perplexity ")
    assert shown[2].endswith(" 0 s left")
    assert shown[-1] == ""


def test_kept_predictions_of_another_vocabulary(run, text_file, ref, fake_load):
    run(text_file, "-c", "20", "--save-logits", ref)
    fake_load.model.executor.n_vocab += 1
    outcome = run("--kl", ref)
    assert outcome.code == 2
    assert f"is for {N_VOCAB} tokens, not {N_VOCAB + 1}" in outcome.err
