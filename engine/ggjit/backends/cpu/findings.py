"""What was measured on this machine, kept in the cache folder; what cannot be used is not there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ... import cache
from ...kernels.tiles import SPARE, TileShape
from ...replacing import check_replaceable, replacing
from ...simd import target
from .machine import cpu_name

MOST_TOKENS = 4096  # of a panel that makes sense


def place_of(*what: object) -> Path:
    """Return where findings about something are kept, named after the machine and that."""
    named = repr((cpu_name(), target.current().name, *what))
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    return cache.cache_folder() / "tuning" / f"{digest}.json"


def can_keep(path: Path) -> bool:
    """Tell whether a file can be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()
        check_replaceable(path)
    except (OSError, ValueError):
        return False
    return True


def keep(path: Path, found: dict[str, Any]) -> None:
    """Write findings; a half-written file never has its name, nor stays.

    Raises: OSError; ValueError for what is no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(json.dumps({"cpu": cpu_name(), **found}, indent=1))


def read(path: Path) -> Any:
    """Return findings, None if there are none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def shape_in(found: Any) -> TileShape | None:
    """Return the shape of tiles that findings name, if it can be run."""
    try:
        shape = TileShape(**{name: int(n) for name, n in found["shape"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    least = shape.n_groups in (1, 2) and 0 < shape.n_tokens <= min(SPARE, shape.panel)
    return shape if least and shape.panel <= MOST_TOKENS else None
