"""Running a tape: every thread walks the same list of kernels and meets the others at barriers.

A step may be cut into more pieces than there are threads: each takes another one when it is done,
so that a slow core does not keep the others waiting.
"""

from numba import int32, int64

from ..jit import device, kernel
from ..simd.atomics import (
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    call_kernel,
    give_way,
    pause,
)
from ..simd.ops import load, store

# A step, one cache line: the addresses of kernel and operands, whether a barrier follows, into how
# many pieces it is cut (0: one a thread), how many bytes lie from one thread's operands to the next
# one's (0: all have the same), and how often threads have asked for another piece.
KERNEL, OPERANDS, BARRIER, PIECES, OWN, ASKED, STEP = 0, 8, 16, 24, 32, 40, 64

# Control block, one cache line each: how often threads have arrived at barriers, the number of the
# job, that of the last one led to its end, and from WORKERS on per thread whether it is parked.
# Beside LED are the address of the job's tape and its number of steps.
ARRIVED, JOB, LED, WORKERS, LINE = 0, 64, 128, 192, 64
TAPE, N_STEPS = LED + 8, LED + 16
PATIENCE = 4000  # pauses at a barrier before giving way to other threads: about 0.1 ms
SPINS = 40_000  # pauses before a worker parks: about a millisecond


@device
def meet(control, target):  # type: ignore[no-untyped-def]
    """Arrive, and wait until as many have arrived in all as must have by now."""
    atomic_add(control + ARRIVED, int64(1))
    waited = 0
    while atomic_load(control + ARRIVED) < target:
        pause()
        waited += 1
        if waited >= PATIENCE:  # the others may be waiting for this core
            give_way()


@device
def run_pieces(step, thread, n_threads):  # type: ignore[no-untyped-def]
    """Run a thread's piece of a step, then those that no thread has begun."""
    kernel = load(int64, step + KERNEL)
    operands = load(int64, step + OPERANDS) + int64(thread) * load(int64, step + OWN)
    n = max(load(int64, step + PIECES), n_threads)
    piece = int64(thread)
    while piece < n:
        call_kernel(kernel, operands, int32(piece), int32(n))
        piece = n
        if n > n_threads:
            asked = atomic_add(step + ASKED, int64(1))
            if asked == n - 1:  # every thread knows that nothing is left: ready for the next run
                atomic_store(step + ASKED, int64(0))
            piece = n_threads + asked


@device
def walk(control, thread, n_threads):  # type: ignore[no-untyped-def]
    """Run all steps of the job's tape as one of the threads.

    All have passed all barriers before; at most the others have arrived at the first one.
    """
    n, tape, n_steps = int64(n_threads), load(int64, control + TAPE), load(int64, control + N_STEPS)
    target = atomic_load(control + ARRIVED) // n * n
    for at in range(tape, tape + STEP * n_steps, STEP):
        run_pieces(at, thread, n)
        if load(int64, at + BARRIER) != 0 and n_threads > 1:
            target += n
            meet(control, target)


@kernel
def announce(control: int, asleep: int, thread: int, n_threads: int) -> None:
    """Start a job: workers that spin join in at once; those to be woken are marked in `asleep`."""
    atomic_add(control + JOB, int64(1))
    for i in range(1, n_threads):
        store(asleep + 8 * i, atomic_swap(control + WORKERS + LINE * i, int64(0)))


@kernel
def lead(control: int, thread: int, n_threads: int) -> None:
    """Run the tape as thread 0."""
    walk(control, thread, n_threads)
    store(control + LED, load(int64, control + JOB))


@kernel
def follow(control: int, seen: int, thread: int, n_threads: int) -> None:
    """Run the tape for each new job; return, marked as parked, when none came for a while.

    `seen` is where this worker keeps the number of its last job.
    """
    parked = control + WORKERS + LINE * int64(thread)
    idle = 0
    while True:
        if atomic_load(control + JOB) != load(int64, seen):
            atomic_add(seen, int64(1))
            walk(control, thread, n_threads)
            idle = 0
        idle += 1
        pause()
        if idle >= SPINS:
            atomic_swap(parked, int64(1))
            # A job announced just before the mark was not told to wake us.
            if atomic_load(control + JOB) == load(int64, seen):
                return
            if atomic_swap(parked, int64(0)) == 0:
                return
            idle = 0
