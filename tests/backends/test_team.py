"""Threads that run a tape together."""

import threading
import time

import numpy as np
import pytest
from compiled import compiled
from guarded import Guarded
from numba import int64

from ggjit.backends.cpu.memory import address, aligned
from ggjit.backends.cpu.tape import entries_of
from ggjit.backends.cpu.threads import Call, Team, run_parallel
from ggjit.jit import compile_kernels
from ggjit.simd.atomics import atomic_add
from ggjit.simd.ops import load, store

MAX_THREADS = 4


@compiled
def count_own(cells: int, thread: int, n_threads: int) -> None:
    """Each thread counts in a line of its own."""
    cell = cells + 64 * int64(thread)
    store(cell, load(int64, cell) + 1)


@compiled
def compare_all(cells: int, faults: int, thread: int, n_threads: int) -> None:
    """Every thread sees that all have counted as far as itself."""
    own = load(int64, cells + 64 * int64(thread))
    for i in range(n_threads):
        if load(int64, cells + 64 * i) != own:
            atomic_add(faults, int64(1))


class Counters:
    """A tape on which threads count `depth` times, and after each time compare."""

    def __init__(self, n_threads, depth=5, barriers=True):
        self.cells, self.faults = aligned(8 * MAX_THREADS, np.int64), aligned(1, np.int64)
        cells, faults = address(self.cells), address(self.faults)
        steps = [(count_own, {"cells": cells}), (compare_all, {"cells": cells, "faults": faults})]
        self._kept = [kernel.operands(**operands) for kernel, operands in steps]
        addresses = compile_kernels(kernel for kernel, _ in steps)
        rows = [
            (addresses[kernel.name], address(slots), barriers, 0, 0)
            for (kernel, _), slots in zip(steps, self._kept, strict=True)
        ]
        self.tape = entries_of(rows * depth)
        self.tape[-1, 2] = 1
        self.n_threads, self.expected, self._depth = n_threads, 0, depth
        self.team = Team(n_threads)

    def run(self, n=1):
        for _ in range(n):
            self.team.run(self.tape)
            self.expected += self._depth
        counts = self.cells[::8][: self.n_threads]
        assert counts.tolist() == [self.expected] * self.n_threads
        assert self.faults[0] == 0


@pytest.fixture
def counters():
    made = []

    def counters(*args, **kwargs):
        made.append(Counters(*args, **kwargs))
        return made[-1]

    yield counters
    for each in made:
        each.team.close()


@pytest.mark.parametrize("n_threads", [1, 2, 3, 4])
def test_every_thread_runs_every_step_and_none_goes_ahead(counters, n_threads):
    counters(n_threads).run(20)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_workers_that_sleep_are_woken(counters, n_threads):
    each = counters(n_threads)
    for pause_s in (0, 0.02, 0, 0.1, 0.02, 0.001, 0.002, 0.003):
        time.sleep(pause_s)
        each.run()


def test_waking_at_every_moment_of_falling_asleep(counters):
    """Runs come at all distances around the time that workers spin."""
    each = counters(2, depth=1)
    for i in range(300):
        end = time.perf_counter() + (i % 100) * 4e-5
        while time.perf_counter() < end:
            pass
        each.run()


def test_idle_workers_use_no_processor(counters):
    each = counters(3)
    each.run()
    time.sleep(0.2)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_an_interrupted_run_leaves_nobody_behind(counters, n_threads):
    """Ctrl-C may come after workers were told of a job and before this thread leads it."""
    each = counters(n_threads)
    each.run()
    for _ in range(3):
        each.team._announce()
        each.expected += each._depth  # the job is ended before the next
        each.run()
    each.team._announce()
    each.team.close()
    with pytest.raises(RuntimeError, match="closed"):
        each.team.check()


def test_several_teams_side_by_side(counters):
    teams = [counters(n) for n in (2, 3, 2)]
    for _ in range(10):
        for each in teams:
            each.run()
    threads = [threading.Thread(target=each.run, args=(5,)) for each in teams]
    for thread in threads:
        thread.start()
    for thread, each in zip(threads, teams, strict=True):
        thread.join(timeout=60)
        each.run()


@pytest.mark.parametrize("pause_s", [0, 0.1])
def test_a_closed_team_leaves_no_threads(counters, pause_s):
    before = set(threading.enumerate())
    each = counters(3)
    workers = set(threading.enumerate()) - before
    assert len(workers) == 2
    each.run()
    time.sleep(pause_s)
    each.team.close()
    for worker in workers:
        worker.join(timeout=10)
        assert not worker.is_alive()


def test_a_team_of_one_starts_no_thread(counters):
    before = set(threading.enumerate())
    counters(1).run(3)
    assert not set(threading.enumerate()) - before


@compiled
def count_piece(cells: int, thread: int, n_threads: int) -> None:
    """Count how often each piece is run, and in cell 0 how many there are."""
    atomic_add(cells + 8 * int64(thread) + 8, int64(1))
    store(cells, int64(n_threads))


@pytest.mark.parametrize("n_pieces", [4, 5, 16, 100])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_every_piece_is_run_once_by_some_thread(n_threads, n_pieces):
    cells = aligned(1 + n_pieces, np.int64)
    slots = count_piece.operands(cells=address(cells))
    kernel = compile_kernels([count_piece])[count_piece.name]
    tape = entries_of([(kernel, address(slots), barrier, n_pieces, 0) for barrier in (False, True)])
    team = Team(n_threads)
    for i in range(50):
        team.run(tape)
        assert cells.tolist() == [n_pieces] + [2 * (i + 1)] * n_pieces
        assert not tape[:, 5].any(), "the next run begins with no piece asked for"
    team.close()


@compiled
def square(x: int, by: float, thread: int, n_threads: int) -> None:
    store(x + 8 * int64(thread), int64(thread * n_threads * by))


def test_calls_side_by_side():
    x = Guarded(5, np.int64)
    run_parallel([Call(square, i, 5, x=x.address, by=10.0) for i in range(5)])
    assert x.array.tolist() == [0, 50, 100, 150, 200]
