"""Where the cache is: what the environment says, then the home, then a temporary folder."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from ggjit import cache
from ggjit.cache import cache_folder

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="folders are a user's own by POSIX modes"
)


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A Linux without any variable that matters, and a temporary folder of its own."""
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("GGJIT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache._temporary_folder.cache_clear()
    yield
    cache._temporary_folder.cache_clear()


@pytest.fixture
def homeless(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)


@pytest.mark.parametrize(
    ("platform", "name", "below"),
    [
        ("linux", "GGJIT_CACHE", ""),
        ("linux", "XDG_CACHE_HOME", "ggjit"),
        ("win32", "LOCALAPPDATA", "ggjit"),
        ("darwin", "GGJIT_CACHE", ""),
    ],
)
def test_a_variable_needs_no_home(homeless, monkeypatch, tmp_path, platform, name, below):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(name, str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named" / below


@pytest.mark.parametrize(
    ("platform", "place"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_without_a_variable_it_is_in_the_home(monkeypatch, tmp_path, platform, place):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / place / "ggjit"


@posix
def test_a_user_without_a_home_gets_a_temporary_folder(homeless, tmp_path):
    folder = cache_folder()
    assert folder == tmp_path / f"ggjit-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    cache._temporary_folder.cache_clear()  # the next process
    assert cache_folder() == folder


@posix
@pytest.mark.parametrize("trap", ["open to all", "a link"])
def test_a_temporary_folder_that_others_can_write_is_not_used(homeless, tmp_path, trap):
    """Machine code is run from there."""
    folder = tmp_path / f"ggjit-{os.getuid()}"
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    assert cache_folder() not in (folder, tmp_path / "elsewhere")
    assert cache_folder() == cache_folder()
