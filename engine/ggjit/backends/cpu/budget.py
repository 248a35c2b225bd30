"""How much memory this process may still take."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from .cores import cgroups, text_of

MEMINFO = Path("/proc/meminfo")

log = logging.getLogger("ggjit")


def available_bytes() -> int | None:
    """Return what the system and the control groups leave; None where nothing says so."""
    limits = [room(folder) for folder in cgroups("memory")]
    told = re.search(r"^MemAvailable:\s+(\d+) kB", text_of(MEMINFO), re.MULTILINE)
    if told:
        limits.append(int(told[1]) * 1024)
    return min((n for n in limits if n is not None), default=None)


def warn_of_cache(n_tokens: int, n_bytes: int, weight_bytes: int) -> None:
    """Warn if there is no room for a full context's keys, values and what is expanded of them.

    Of weights that would not fit by themselves nothing is said here: they can stay in the file.
    """
    left = available_bytes()
    if left is None:
        return
    beside = weight_bytes if weight_bytes <= left else 0
    if n_bytes > left - beside:
        needs = f"keys, values and what is expanded for {n_tokens} tokens need {n_bytes >> 20} MB"
        where = " beside the weights" if beside else ""
        are_left = f"{(left - beside) >> 20} MB are left{where}"
        log.warning("%s and %s: -c (context=) makes it smaller", needs, are_left)


def room(folder: Path) -> int | None:
    """Return the bytes that one control group leaves; pages of files can be given back."""
    limit = text_of(folder / "memory.max") or text_of(folder / "memory.limit_in_bytes")
    used = text_of(folder / "memory.current") or text_of(folder / "memory.usage_in_bytes")
    if not limit.isdigit() or not used.isdigit():
        return None
    files = re.search(r"^(?:total_)?inactive_file (\d+)", text_of(folder / "memory.stat"), re.M)
    return max(0, int(limit) - int(used) + (int(files[1]) if files else 0))
