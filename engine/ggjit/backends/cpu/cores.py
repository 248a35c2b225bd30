"""How many threads: the cores that this process may use and that are equally fast."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
PERFORMANCE_CPUS = Path("/sys/devices/cpu_core/cpus")  # of Intel's hybrid processors
CGROUPS = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 20  # CPUs
SLOW = 0.7  # of the fastest CPU's capacity; slower ones would keep the others waiting


def usable_threads(n: int | None) -> int | None:
    """Return how many of `n` threads are used: barriers crawl when threads take turns.

    Raises: ValueError for none.
    """
    most = 2 * len(allowed_cpus())
    if n is not None and n < 1:
        raise ValueError(f"threads is {n}, expected 1 or more")
    if n is not None and n > most:
        told = "twice the CPUs that this process may use"
        logging.getLogger("ggjit").warning("threads: %d of %d are used, %s", most, n, told)
        return most
    return n


def default_threads() -> int:
    """Return the fast physical cores this process may use, by affinity and cgroup quota."""
    cores = {core_of(cpu) for cpu in fast(allowed_cpus())}
    return max(1, min(len(cores), quota(), performance_cores_of_macos() or UNLIMITED))


def allowed_cpus() -> set[int]:
    """Return the logical CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def fast(cpus: set[int]) -> set[int]:
    """Leave out the efficiency cores of a hybrid processor, unless there are no others."""
    if named := parse_cpus(text_of(PERFORMANCE_CPUS)):
        return cpus & named or cpus
    capacity = {cpu: float(text_of(CPUS / f"cpu{cpu}/cpu_capacity") or 0) for cpu in cpus}
    return {cpu for cpu in cpus if capacity[cpu] >= SLOW * max(capacity.values())}


def core_of(cpu: int) -> str:
    """Name a CPU's physical core by the CPUs that share it."""
    return text_of(CPUS / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu)


@cache
def performance_cores_of_macos() -> int:
    """Return how many fast cores macOS names; 0 elsewhere."""
    if platform.system() != "Darwin":
        return 0
    command = ["sysctl", "-n", "hw.perflevel0.physicalcpu"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return int(told) if told.isdigit() else 0


def parse_cpus(text: str) -> set[int]:
    """Return the CPUs of a list as Linux writes it: 0-3,8."""
    runs = [run.partition("-") for run in text.split(",") if run]
    return {cpu for low, _, high in runs for cpu in range(int(low), int(high or low) + 1)}


# -- control groups -------------------------------------------------------------------------------


def quota() -> int:
    """Return the CPUs that the control groups grant, rounded down but at least 1."""
    return min((granted(folder) for folder in cgroups("cpu")), default=UNLIMITED)


def granted(folder: Path) -> int:
    """Return the CPUs that one control group grants, be it of version 2 or 1."""
    limit = text_of(folder / "cpu.max").split() or [
        text_of(folder / "cpu.cfs_quota_us"),
        text_of(folder / "cpu.cfs_period_us"),
    ]
    try:
        microseconds, period = (int(text) for text in limit)
    except ValueError:
        return UNLIMITED
    return max(1, microseconds // period) if microseconds > 0 and period > 0 else UNLIMITED


def cgroups(controller: str) -> list[Path]:
    """Return the control groups that may limit the process in something, innermost first."""
    folders: list[Path] = []
    for line in text_of(Path("/proc/self/cgroup")).splitlines():
        number, controllers, own = line.split(":", 2)
        if number == "0":
            root = CGROUPS
        elif controller in controllers.split(","):
            root = CGROUPS / controller
        else:
            continue
        inner = root / own.lstrip("/")
        folders += [inner, *(p for p in inner.parents if p == root or root in p.parents)]
    return folders


def text_of(path: Path) -> str:
    """Return what a file of the system says, nothing if it does not exist."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
