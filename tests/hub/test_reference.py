"""Paths, known names, and what is said about anything else."""

import os

import pytest

from ggjit.hub import DEFAULT, reference, resolve


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


def test_what_is_not_here_is_fetched(cache, index, tiny, monkeypatch):
    index.add()
    monkeypatch.setitem(reference.KNOWN, "tiny", tiny)
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
