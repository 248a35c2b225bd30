"""What threads use to meet."""

import threading

import numpy as np
from compiled import compiled, results
from guarded import Guarded
from numba import int64

from ggjit.backends.cpu.threads import Call
from ggjit.jit import compile_kernels
from ggjit.simd.atomics import (
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    call_kernel,
    pause,
)
from ggjit.simd.ops import load, store


@compiled
def one_thread(cell: int, out: int, thread: int, n_threads: int) -> None:
    store(out, atomic_load(cell))
    store(out + 8, atomic_add(cell, int64(-7)))
    store(out + 16, atomic_swap(cell, int64(11)))
    atomic_store(cell, atomic_load(cell) + 100)
    pause()
    store(out + 24, atomic_load(cell))


def test_each_operation():
    got = results(one_thread, 4, np.int64, cell=np.array([1 << 40]))
    assert got.tolist() == [1 << 40, 1 << 40, (1 << 40) - 7, 111]


@compiled
def count_up(cell: int, n: int, thread: int, n_threads: int) -> None:
    for _ in range(n):
        atomic_add(cell, int64(1))


@compiled
def take_turns(turn: int, total: int, n: int, thread: int, n_threads: int) -> None:
    """Add to a plain number, in turns handed over through an atomic one."""
    for _ in range(n):
        while atomic_load(turn) != thread:
            pause()
        store(total, load(int64, total) + 1)
        atomic_store(turn, int64((thread + 1) % n_threads))


def together(calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_count_is_lost_between_threads():
    cell = Guarded.of(np.zeros(1, np.int64))
    together([Call(count_up, i, 3, cell=cell.address, n=100_000) for i in range(3)])
    assert cell.array[0] == 300_000


def test_what_was_written_before_is_seen_after():
    turn, total = (Guarded.of(np.zeros(1, np.int64)) for _ in range(2))
    operands = {"turn": turn.address, "total": total.address, "n": 100}
    together([Call(take_turns, i, 2, **operands) for i in range(2)])
    assert total.array[0] == 200


@compiled
def report(cell: int, by: float, thread: int, n_threads: int) -> None:
    store(cell, int64(by * 2))
    store(cell + 8, int64(thread))
    store(cell + 16, int64(n_threads))


@compiled
def caller(address: int, operands: int, thread: int, n_threads: int) -> None:
    call_kernel(address, operands, thread, n_threads)


def test_a_kernel_calls_another_through_its_address():
    cell = Guarded(3, np.int64)
    operands = Guarded.of(report.operands(cell=cell.address, by=2.5))
    address = compile_kernels([report])[report.name]
    Call(caller, 6, 7, address=address, operands=operands.address)()
    assert cell.array.tolist() == [5, 6, 7]
