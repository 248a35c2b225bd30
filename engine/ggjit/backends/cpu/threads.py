"""A team of threads that runs tapes."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
import weakref

import numpy as np

from ...jit import Kernel, compile_kernels
from ...kernels import tape as tape_kernels
from ...kernels.tape import JOB, LED, LINE, N_STEPS, TAPE, WORKERS
from .memory import address, aligned


class Team:
    """Threads that run tapes together; workers spin for a moment between runs, then sleep."""

    def __init__(self, n_threads: int) -> None:
        self.n_threads, self._process, self._closed = n_threads, os.getpid(), False
        self._tape: np.ndarray | None = None  # of the last job, which may have to be ended yet
        self._control = aligned((WORKERS + LINE * n_threads) // 8, np.int64)
        self._seen = aligned(LINE // 8 * n_threads, np.int64)
        self._asleep = aligned(n_threads, np.int64)
        self._wake = [threading.Semaphore(0) for _ in range(n_threads)]
        control, asleep = address(self._control), address(self._asleep)
        self._announce = Call(tape_kernels.announce, 0, n_threads, control=control, asleep=asleep)
        self._lead = Call(tape_kernels.lead, 0, n_threads, control=control)
        self._workers = [self._start(i, control) for i in range(1, n_threads)]
        _teams.add(self)

    def run(self, tape: np.ndarray) -> None:
        """Run a tape once."""
        self._finish()
        self._tape = tape
        self._control[TAPE // 8], self._control[N_STEPS // 8] = address(tape), len(tape)
        self._announce()
        for i in np.flatnonzero(self._asleep):
            self._wake[i].release()
        self._lead()

    def check(self) -> None:
        """Raise RuntimeError if there are no workers: in a forked child, or after `close`."""
        if os.getpid() != self._process:
            raise RuntimeError("a model does not survive a fork: load it in the child process")
        if self._closed:
            raise RuntimeError("the model is closed")

    def close(self) -> None:
        """Let the workers end, and wait for it: they must be gone before their code is."""
        if self._closed or os.getpid() != self._process:
            return
        self._finish()
        self._closed = True
        for wake in self._wake:
            wake.release()
        for worker in self._workers:
            if worker is not threading.current_thread():
                worker.join()

    def _finish(self) -> None:
        """End a job that an interrupt kept this thread from leading, so that none stays behind."""
        if self._control[JOB // 8] != self._control[LED // 8]:
            for wake in self._wake:
                wake.release()
            self._lead()

    def _start(self, i: int, control: int) -> threading.Thread:
        seen = address(self._seen[LINE // 8 * i :])
        call = Call(tape_kernels.follow, i, self.n_threads, seen=seen, control=control)
        worker = threading.Thread(target=self._work, args=(i, call), daemon=True)
        worker.start()
        return worker

    def _work(self, i: int, call: Call) -> None:
        while not self._closed:
            call()
            self._wake[i].acquire()


_teams: weakref.WeakSet[Team] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for team in list(_teams):
        team.close()


SIGNATURE = ctypes.CFUNCTYPE(  # as jit.compiler emits it
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_int32
)


class Call:
    """A kernel bound to its operands; calling it releases the GIL."""

    def __init__(self, kernel: Kernel, thread: int, n_threads: int, **operands: float) -> None:
        self._function = SIGNATURE(compile_kernels([kernel])[kernel.name])
        self._operands = kernel.operands(**operands)
        self._result = ctypes.create_string_buffer(64)
        self._args = (self._result, None, address(self._operands), thread, n_threads)

    def __call__(self) -> None:
        self._function(*self._args)


def run_parallel(calls: list[Call]) -> None:
    """Run calls side by side, one on this thread; return when all have ended, come what may."""
    threads = [threading.Thread(target=call) for call in calls[1:]]
    for thread in threads:
        thread.start()
    try:
        calls[0]()
    finally:
        for thread in threads:
            thread.join()
