"""How much memory is left."""

import pytest

from ggjit.backends.cpu import budget
from ggjit.backends.cpu.budget import available_bytes, room, warn_of_cache


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Let the system and nested control groups say what they leave."""

    def machine(available, groups):
        (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {available} kB\n")
        monkeypatch.setattr(budget, "MEMINFO", tmp_path / "meminfo")
        folders = []
        for i, files in enumerate(groups):
            folders.append(tmp_path / str(i))
            folders[-1].mkdir()
            for name, text in files.items():
                (folders[-1] / name).write_text(text)
        monkeypatch.setattr(budget, "cgroups", lambda controller: folders)
        return available_bytes()

    return machine


def test_what_the_system_leaves(machine):
    assert machine(1000, []) == 1000 * 1024


def test_a_control_group_leaves_less(machine):
    files = {"memory.max": "5000\n", "memory.current": "3000\n"}
    assert machine(1000, [files, {"memory.max": "max", "memory.current": "1"}]) == 2000


def test_pages_of_files_do_not_count(machine):
    stat = "anon 100\ninactive_file 700\n"
    assert machine(9, [{"memory.max": "5", "memory.current": "9", "memory.stat": stat}]) == 696


def test_the_first_version_of_control_groups(tmp_path):
    (tmp_path / "memory.limit_in_bytes").write_text("900")
    (tmp_path / "memory.usage_in_bytes").write_text("200")
    (tmp_path / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 50\n")
    assert room(tmp_path) in (701, 750)


def test_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(budget, "MEMINFO", tmp_path / "none")
    monkeypatch.setattr(budget, "cgroups", lambda controller: [])
    assert available_bytes() is None


NEEDED = "keys, values and what is expanded for 64 tokens need 300 MB"


@pytest.mark.parametrize(
    ("left", "warning"),
    [
        (900, None),
        (899, NEEDED + " and 299 MB are left beside the weights: "),
        (599, None),  # weights alone do not fit, and may stay in the file
        (299, NEEDED + " and 299 MB are left: -c (context=) makes"),
    ],
)
def test_a_cache_without_room_is_blamed_where_it_is_to_blame(left, warning, monkeypatch, caplog):
    monkeypatch.setattr(budget, "available_bytes", lambda: left << 20)
    warn_of_cache(64, 300 << 20, 600 << 20)
    assert (warning or "") in caplog.text
    assert len(caplog.records) == (warning is not None)


def test_here():
    left = available_bytes()
    assert left is None or left > 0
