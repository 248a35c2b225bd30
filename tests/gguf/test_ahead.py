"""Reading files before they are used."""

import os
import threading

import pytest

from ggjit.gguf import ahead
from ggjit.gguf.ahead import reading_ahead

pytestmark = pytest.mark.skipif(not hasattr(os, "readv"), reason="nothing is read ahead here")


@pytest.fixture
def reads(monkeypatch):
    """The bytes of every call, and small pieces."""
    seen, real = [], os.readv

    def readv(fd, pieces):
        seen.append(real(fd, pieces))
        return seen[-1]

    monkeypatch.setattr(os, "readv", readv)
    monkeypatch.setattr(ahead, "PIECE", 100)
    monkeypatch.setattr(ahead, "N_PIECES", 4)
    return seen


def read_whole(*paths):
    """Read ahead until the reader has ended by itself."""
    before = set(threading.enumerate())
    with reading_ahead(paths):
        for thread in set(threading.enumerate()) - before:
            thread.join()


def test_files_are_read_one_after_the_other(reads, tmp_path):
    for name, n in (("a", 1000), ("b", 50)):
        (tmp_path / name).write_bytes(bytes(n))
    read_whole(tmp_path / "a", tmp_path / "missing", tmp_path / "b")
    assert reads == [400, 400, 200, 0, 50, 0]


def test_no_more_is_read_than_is_used_soon(reads, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "MOST", 700)
    (tmp_path / "a").write_bytes(bytes(5000))
    read_whole(tmp_path / "a", tmp_path / "a")
    assert reads == [400, 400]


def test_reading_ends_with_the_block(tmp_path, monkeypatch):
    calls, going_on = [], threading.Event()

    def readv(fd, pieces):
        calls.append(fd)
        assert going_on.wait(60)
        return 1

    monkeypatch.setattr(os, "readv", readv)
    (tmp_path / "a").write_bytes(bytes(5000))
    before = set(threading.enumerate())
    with reading_ahead([tmp_path / "a"]):
        [reader] = set(threading.enumerate()) - before
    going_on.set()
    reader.join()
    assert len(calls) <= 1
