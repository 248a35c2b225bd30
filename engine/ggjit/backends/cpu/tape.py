"""Steps to a tape in memory, with a barrier only where one step needs another's result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ...jit import compile_kernels
from ...kernels.tape import STEP
from .memory import address, aligned
from .steps import Step

Progress = Callable[[int, int, str], None]


class Tape:
    """`entries` are what a team runs: see `entries_of`."""

    def __init__(
        self, steps: list[Step], n_threads: int, progress: Progress | None = None
    ) -> None:  # fmt: skip
        addresses = compile_kernels((s.kernel for s in steps), progress)
        self._operands = [operands_of(s, n_threads) for s in steps]
        self.entries = entries_of([
            (addresses[step.kernel.name], address(operands), barrier, step.n_pieces,
             operands.strides[0] if step.n_pieces else 0)
            for step, operands, barrier in zip(steps, self._operands, barriers(steps), strict=True)
        ])  # fmt: skip


def operands_of(step: Step, n_threads: int) -> npt.NDArray[np.int64]:
    """Return a step's operands, a row for all threads; of a step in pieces, one for each.

    Scratch is a thread's own whatever piece it works on: the next step may have begun elsewhere.
    """
    if not step.n_pieces:
        return step.kernel.operands(**step.operands)[None]
    scratch, size = step.operands["scratch"], step.operands["scratch_step"]
    own = [{"scratch": scratch + size * i, "scratch_step": 0} for i in range(n_threads)]
    return np.stack([step.kernel.operands(**{**step.operands, **one}) for one in own])


def entries_of(steps: Sequence[tuple[int, int, bool, int, int]]) -> npt.NDArray[np.int64]:
    """Return a tape of (kernel, operands, barrier follows, pieces, bytes to a thread's own)."""
    entries = aligned(STEP // 8 * len(steps), np.int64).reshape(len(steps), -1)
    entries[:, :5] = steps
    return entries


def barriers(steps: list[Step]) -> list[bool]:
    """Tell after which steps all threads must meet; always after the last."""
    after = [False] * len(steps)
    running: list[Step] = []
    for i, step in enumerate(steps):
        if any(_depends(step, before) for before in running):
            after[i - 1] = True
            running = []
        running.append(step)
    after[-1] = True
    return after


def _depends(step: Step, before: Step) -> bool:
    """Tell whether a step touches what another wrote, or writes what it reads, on other threads."""
    clashes = (
        (step.reads & before.writes, step.reads_by, before.writes_by),
        (step.writes & before.reads, step.writes_by, before.reads_by),
        (step.writes & before.writes, step.writes_by, before.writes_by),
    )
    return any(shared and (a is None or a != b) for shared, a, b in clashes)
