"""Paths, known names, and what is said about anything else."""

import os

import pytest

from ggjit.hub import DEFAULT, known, resolve
from ggjit.hub.known import find_known


@pytest.fixture
def model_here(cache):
    DEFAULT.path.parent.mkdir(parents=True)
    with DEFAULT.path.open("wb") as file:
        file.truncate(DEFAULT.n_bytes)
    return DEFAULT.path


def test_a_path_is_itself(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"")
    assert resolve(path) == path
    assert resolve(str(path)) == path


def test_no_reference_is_the_default_model(model_here):
    assert resolve() == resolve(None) == model_here
    assert model_here.name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_known_names_do_not_mind_case(model_here):
    assert resolve("smollm2-135m-INSTRUCT") == model_here


def test_whole_words_at_the_beginning_of_a_name_are_enough(model_here):
    assert resolve("smollm2") == resolve("SmolLM2-135M") == model_here
    assert find_known("qwen2.5-coder").name == "Qwen2.5-Coder-0.5B-Instruct"
    for text in ("smol", "s", "", "-", "smollm2-", "SmolLM2-135M-Instruct-x"):
        assert find_known(text) is None


def test_an_ambiguous_beginning_is_no_name(tiny, monkeypatch):
    for name in ("tiny-a", "tiny-b"):
        monkeypatch.setitem(known.KNOWN, name, tiny)
    assert find_known("tiny-a") is tiny
    assert find_known("tiny") is None


def test_what_is_not_here_is_fetched(cache, index, tiny, monkeypatch):
    index.add()
    monkeypatch.setitem(known.KNOWN, "tiny", tiny)
    assert resolve("Tiny") == tiny.path
    assert tiny.is_here


def test_a_file_comes_before_a_known_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT.name).write_bytes(b"")
    assert str(resolve(DEFAULT.name)) == DEFAULT.name


def test_anything_else_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.gguf: no such file.*SmolLM2-135M-Instruct"):
        resolve(tmp_path / "nothing.gguf")
    with pytest.raises(ValueError, match="is a folder"):
        resolve(tmp_path)
    with pytest.raises(ValueError, match="not a regular file"):
        resolve(os.devnull)
