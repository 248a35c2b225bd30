"""Paths that are not GGUF files at all: refused at once, and named for what they are."""

from __future__ import annotations

import errno
import io
import os
import socket
from pathlib import Path
from struct import pack

import pytest
from build_gguf import build, valid

from ggjit.gguf import GGUFError, open_gguf

STRANGERS = {
    "zip": (b"PK\x03\x04" + bytes(60), "PyTorch"),
    "pickle": (b"\x80\x02}q\x00.", "pickle"),
    "safetensors": (pack("<Q", 2) + b"{}", "safetensors"),
    "ggml": (b"lmgg" + bytes(60), "GGML"),
    "ggmf": (b"fmgg" + bytes(60), "GGMF"),
    "ggjt": (b"tjgg" + bytes(60), "GGJT"),
    "lora": (b"algg" + bytes(60), "GGLA"),
    "empty": (b"", "empty"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS"),
    "html": (b"\n<!DOCTYPE html><title>Sign in</title>", "web page"),
    "html without doctype": (b"<HTML><body>404", "web page"),
    "json": (b'{"error": "not found"}', "JSON"),
    "zeros": (bytes(4096), "zeros"),
    "gzip": (b"\x1f\x8b\x08" + bytes(60), "gzip"),
    "anything": (b"hello", "b'hell'"),
    "escapes": (b"\x1b[2J hello", "x1b"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_stranger_is_named(name: str, tmp_path: Path) -> None:
    content, says = STRANGERS[name]
    path = tmp_path / "stranger"
    path.write_bytes(content)
    with pytest.raises(GGUFError, match="not a GGUF file") as caught:
        open_gguf(path)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GGUFError, match="is a directory"):
        open_gguf(tmp_path)


def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe.gguf"
    os.mkfifo(path)
    with pytest.raises(GGUFError, match="is a pipe"):
        open_gguf(path)


@pytest.mark.parametrize("device", ["/dev/random", "/dev/zero", "/dev/null"])
def test_device_is_refused(device: str) -> None:
    with pytest.raises(GGUFError, match=f"{device}: is a device"):
        open_gguf(device)


def test_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(GGUFError, match="socket"):
            open_gguf("s")


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_gguf(tmp_path / "absent.gguf")


def test_read_error_stays_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FailingDisk(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "model.gguf"
    path.write_bytes(valid())
    monkeypatch.setattr("ggjit.gguf.source.io.FileIO", FailingDisk)
    with pytest.raises(OSError, match="Input/output error") as caught:
        open_gguf(path)
    assert not isinstance(caught.value, GGUFError)


def test_file_that_shrinks_while_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(valid())
    real = path.stat()
    path.write_bytes(valid()[:100])
    monkeypatch.setattr("ggjit.gguf.shard.os.fstat", lambda fd: real)
    with pytest.raises(GGUFError, match="shrank"):
        open_gguf(path)


def test_path_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[2J\udcff.gguf"
    path.write_bytes(build(version=9))
    with pytest.raises(GGUFError) as caught:
        open_gguf(path)
    assert str(caught.value).isprintable()
    assert "a\\n\\x1b[2J\\udcff.gguf" in str(caught.value)
