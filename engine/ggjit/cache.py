"""Where ggjit keeps what it can make or fetch again: compiled kernels, models, histories."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder for ggjit (GGJIT_CACHE overrides it); it may not exist."""
    if forced := os.environ.get("GGJIT_CACHE"):
        return Path(forced)
    named, below_home = _places()
    if named and (folder := os.environ.get(named)):
        return Path(folder) / "ggjit"
    try:
        return Path.home() / below_home / "ggjit"
    except RuntimeError:  # a user without a home, as in some containers
        return _temporary_folder()


def _places() -> tuple[str | None, str]:
    """Return the variable that names the system's cache folder, and where it is without it."""
    if sys.platform == "win32":
        return "LOCALAPPDATA", "AppData/Local"
    if sys.platform == "darwin":
        return None, "Library/Caches"
    return "XDG_CACHE_HOME", ".cache"


@cache
def _temporary_folder() -> Path:
    """Make a folder of this user's alone: machine code is run from it."""
    if sys.platform != "win32":
        folder = Path(tempfile.gettempdir()) / f"ggjit-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()  # somebody else may have made it first, or a link
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o77:
            return folder
    return Path(tempfile.mkdtemp(prefix="ggjit-"))
