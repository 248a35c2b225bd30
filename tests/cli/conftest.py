"""The command line in this process, with a model that is all for show."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "generate"))

import ggjit
from ggjit.cli import app
from ggjit.cli.errors import exit_code


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GGJIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GGJIT_DEBUG", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "fake.gguf"
    path.write_bytes(b"")
    return str(path)


@pytest.fixture
def fake_load(monkeypatch):
    """Let `ggjit.load` return the model that the test puts in; `arguments` are the last call's."""
    loaded = SimpleNamespace(model=None, arguments={})

    def load(path, suits=id, **arguments):
        loaded.arguments = {"path": path, **arguments}
        loaded.model.file.path = path
        suits(loaded.model)
        return loaded.model

    monkeypatch.setitem(ggjit.__dict__, "load", load)
    return loaded


@pytest.fixture
def ggjit_command(capsys, monkeypatch):
    """Run a command line; `stdin` None is a terminal where nothing is typed."""

    def command(*args, stdin=None):
        data = stdin if isinstance(stdin, bytes) else (stdin or "").encode()
        stream = io.TextIOWrapper(io.BytesIO(data), "utf-8")
        stream.isatty = lambda: stdin is None
        monkeypatch.setattr(sys, "stdin", stream)
        code = exit_code(app, [str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return command
