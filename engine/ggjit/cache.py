"""Where ggjit keeps what it can make or fetch again: compiled kernels, models, histories."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder for ggjit (GGJIT_CACHE overrides it); it may not exist."""
    if forced := os.environ.get("GGJIT_CACHE"):
        return Path(forced)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "ggjit"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "ggjit"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "ggjit"
