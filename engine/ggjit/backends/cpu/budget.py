"""How much memory this process may still take."""

from __future__ import annotations

import re
from pathlib import Path

from .cores import cgroups, text_of

MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """Return what the system and the control groups leave; None where nothing says so."""
    limits = [room(folder) for folder in cgroups("memory")]
    told = re.search(r"^MemAvailable:\s+(\d+) kB", text_of(MEMINFO), re.MULTILINE)
    if told:
        limits.append(int(told[1]) * 1024)
    return min((n for n in limits if n is not None), default=None)


def room(folder: Path) -> int | None:
    """Return the bytes that one control group leaves; pages of files can be given back."""
    limit = text_of(folder / "memory.max") or text_of(folder / "memory.limit_in_bytes")
    used = text_of(folder / "memory.current") or text_of(folder / "memory.usage_in_bytes")
    if not limit.isdigit() or not used.isdigit():
        return None
    files = re.search(r"^(?:total_)?inactive_file (\d+)", text_of(folder / "memory.stat"), re.M)
    return max(0, int(limit) - int(used) + (int(files[1]) if files else 0))
