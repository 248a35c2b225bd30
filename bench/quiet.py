"""Whether anything else runs on this machine while something is measured (Linux)."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.5
PATIENCE_S = 900


class Watch:
    """Counts the processor time that others than this process and its children take."""

    def __init__(self) -> None:
        self._start, self._busy, self._own = time.monotonic(), busy_s(), own_s()

    def others(self) -> float:
        """Return their share of all processors since the watch was made; 0 where unknown."""
        elapsed = time.monotonic() - self._start
        others = (busy_s() - self._busy) - (own_s() - self._own)
        return max(0.0, others / elapsed / (os.cpu_count() or 1))


def busy_s() -> float:
    """Return the seconds that processors were not idle, stolen ones included."""
    try:
        ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, ticks)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_s() -> float:
    """Return this process's and its finished children's processor seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def when_quiet(run: Callable[[], T], limit: float) -> tuple[T, float]:
    """Wait until others are quiet, run, and run again if they were not meanwhile.

    Returns the result and the others' share. After PATIENCE_S the last result has to do.
    """
    end = time.monotonic() + PATIENCE_S
    while True:
        while time.monotonic() < end and _others_for(LOOK_S) > limit:
            time.sleep(1)
        watch = Watch()
        result = run()
        others = watch.others()
        if others <= limit or time.monotonic() >= end:
            return result, others


def _others_for(seconds: float) -> float:
    watch = Watch()
    time.sleep(seconds)
    return watch.others()
