"""Files written past the system's cache: whatever the sizes of what is written, the same bytes."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from ggjit_convert import direct


@pytest.mark.parametrize("sizes", [[], [1], [4096], [4095, 2, 4096], [5000, 70_000, 0, 3, 12_288]])
def test_bytes_come_out_as_they_went_in(tmp_path, rng, monkeypatch, sizes):
    monkeypatch.setattr(direct, "AT_A_TIME", 8192)
    pieces = [rng.integers(0, 256, n, np.uint8).tobytes() for n in sizes]
    with direct.direct_file(tmp_path / "file") as out:
        for piece in pieces:
            out.write(piece)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_a_file_system_that_refuses_only_when_written_to(tmp_path, monkeypatch):
    refused, file = [], Failing((tmp_path / "file").open("wb", buffering=0))
    monkeypatch.setattr(direct, "go_direct", lambda file, on: refused.append(on) or on)
    out = direct.DirectFile(file)
    out.write(b"some bytes")
    out.end()
    assert (tmp_path / "file").read_bytes() == b"some bytes"
    assert refused == [True, False]


class Failing:
    """A file whose first write is refused."""

    def __init__(self, file):
        self._file, self._failed = file, False

    def write(self, data):
        if not self._failed:
            self._failed = True
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_a_full_disk_is_an_error(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with (
        pytest.raises(OSError, match="No space left"),
        direct.direct_file(Path("/dev/full")) as out,
    ):
        out.write(b"some bytes")
