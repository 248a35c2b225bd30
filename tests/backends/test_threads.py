"""How many threads by default."""

import os

import pytest

from ggjit.backends.cpu import threads
from ggjit.backends.cpu.threads import default_threads

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Let the process run on some CPUs, of cores with two CPUs each, in nested control groups."""

    def machine(cpus, limits=()):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(cpus))
        monkeypatch.setattr(threads, "_core_of", lambda cpu: str(cpu // 2))
        folders = []
        for i, limit in enumerate(limits):
            folders.append(tmp_path / str(i))
            folders[-1].mkdir()
            if limit is not None:
                (folders[-1] / "cpu.max").write_text(limit)
        monkeypatch.setattr(threads, "_cgroups", lambda: folders)
        return default_threads()

    return machine


@pytest.mark.parametrize(
    ("cpus", "n"), [([0], 1), ([0, 1], 1), ([0, 2], 2), (range(16), 8), ([1, 4, 5, 9], 3)]
)
def test_physical_cores_that_the_process_may_use(machine, cpus, n):
    assert machine(cpus) == n


@pytest.mark.parametrize(
    ("limits", "n"),
    [
        (["max 100000"], 8),
        (["400000 100000"], 4),
        (["350000 100000"], 3),
        (["50000 100000"], 1),
        (["10000000 100000"], 8),
        ([None, "200000 100000"], 2),
        (["max 100000", "200000 100000", "max 100000"], 2),
        (["400000 100000", "200000 100000"], 2),
        (["nonsense", "200000 100000"], 2),
        (["", "max"], 8),
    ],
)  # fmt: skip
def test_the_smallest_quota_of_the_control_groups(machine, limits, n):
    assert machine(range(16), limits) == n


def test_here():
    assert 1 <= default_threads() <= len(os.sched_getaffinity(0))


def test_a_machine_that_says_nothing_of_cores(monkeypatch):
    monkeypatch.setattr(threads, "Path", lambda *_: type("Gone", (), {"read_text": _missing})())
    assert threads._core_of(3) == "3"


def _missing(self):
    raise FileNotFoundError
