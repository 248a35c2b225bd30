"""The line that is written over while something takes its time."""

from ggjit.cli import status


def test_what_is_left_is_told_by_the_time_of_what_is_being_done(monkeypatch):
    """Half of the packing takes 10 s; what went on for 100 s before does not count."""
    shown, times = [], iter([0.0, 0.1, 100.0, 110.0])
    monkeypatch.setattr(status, "perf_counter", lambda: next(times))
    monkeypatch.setattr(status, "show_status", shown.append)
    with status.load_status() as progress:
        progress("choosing tiles", 0, 2)
        progress("packing", 0, 2_000_000)
        progress("packing", 1_000_000, 2_000_000)
    assert shown == ["packing 0.0/2.0 MB", "packing 1.0/2.0 MB, 0:10 left", ""]
