"""How many threads by default."""

import os

import pytest

from ggjit.backends.cpu import cores
from ggjit.backends.cpu.cores import default_threads, fast, parse_cpus

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Let the process run on some CPUs, of cores with two CPUs each, in nested control groups."""

    def machine(cpus, limits=()):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(cpus))
        monkeypatch.setattr(cores, "fast", lambda cpus: cpus)
        monkeypatch.setattr(cores, "core_of", lambda cpu: str(cpu // 2))
        folders = []
        for i, limit in enumerate(limits):
            folders.append(tmp_path / str(i))
            folders[-1].mkdir()
            if limit is not None:
                (folders[-1] / "cpu.max").write_text(limit)
        monkeypatch.setattr(cores, "cgroups", lambda controller: folders)
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


def test_quotas_of_the_first_version_of_control_groups(monkeypatch, tmp_path):
    (tmp_path / "cpu.cfs_quota_us").write_text("250000\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.granted(tmp_path) == 2
    (tmp_path / "cpu.cfs_quota_us").write_text("-1\n")
    assert cores.granted(tmp_path) == cores.UNLIMITED


def test_efficiency_cores_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "PERFORMANCE_CPUS", tmp_path / "cpus")
    (tmp_path / "cpus").write_text("0-3,8\n")
    assert fast({1, 2, 8, 9, 10}) == {1, 2, 8}
    assert fast({9, 10}) == {9, 10}


def test_slow_cores_by_capacity(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "CPUS", tmp_path)
    for cpu, capacity in enumerate([400, 400, 1024, 980]):
        (tmp_path / f"cpu{cpu}").mkdir()
        (tmp_path / f"cpu{cpu}" / "cpu_capacity").write_text(f"{capacity}\n")
    assert fast({0, 1, 2, 3}) == {2, 3}
    assert fast({0, 1}) == {0, 1}


@pytest.mark.parametrize(("text", "cpus"), [("", set()), ("0-2,5", {0, 1, 2, 5}), ("7", {7})])
def test_lists_of_cpus(text, cpus):
    assert parse_cpus(text) == cpus


def test_a_machine_that_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "CPUS", tmp_path)
    monkeypatch.setattr(cores, "PERFORMANCE_CPUS", tmp_path / "none")
    assert cores.core_of(3) == "3"
    assert fast({0, 3}) == {0, 3}


def test_more_threads_than_make_sense_are_not_used(monkeypatch, caplog):
    monkeypatch.setattr(cores, "allowed_cpus", lambda: {0, 1})
    assert [cores.usable_threads(n) for n in (None, 1, 4)] == [None, 1, 4]
    assert not caplog.records
    assert cores.usable_threads(100) == 4
    assert "4 of 100 are used" in caplog.text
    with pytest.raises(ValueError, match="threads is 0, expected 1 or more"):
        cores.usable_threads(0)
