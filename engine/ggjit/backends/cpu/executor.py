"""A graph on this machine's cores: packed weights, planned buffers, one tape for any batch."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...graph import Graph, Linear, Op
from .. import ContextFull, Float32, Progress
from .batch import Batch
from .cache import CacheLayout, CPUState
from .fuse import fuse_residuals
from .lower import Lowering, reads_integers
from .storage import plan
from .tape import Tape
from .threads import Team, default_threads
from .weights import PackedWeights, matrices_of

N_TOKENS = 512  # tokens of one run of the tape
N_SELECTED = 64  # logits of one run
ACTIVATIONS = 16  # bits


@dataclass(frozen=True)
class LoadTimes:
    """Seconds."""

    pack: float
    compile: float


class CPUExecutor:
    """Runs a graph on the CPU, with activations of 8 or 16 bits before integer weights."""

    def __init__(
        self, graph: Graph, n_context: int, n_threads: int | None = None,
        progress: Progress | None = None, activations: int = ACTIVATIONS,
    ) -> None:
        self.n_context, self.n_vocab = n_context, graph.output.width
        self.n_threads = n_threads or default_threads()
        ops = fuse_residuals(graph.ops)
        start = perf_counter()
        self._weights = _packed(ops, self.n_threads, progress)
        packed = perf_counter()
        self._batch = Batch(N_TOKENS, N_SELECTED)
        self._layout = CacheLayout(ops, n_context)
        quantized = {op.x for op in ops if isinstance(op, Linear) and reads_integers(op)}
        self._storage = plan(ops, quantized, N_TOKENS, N_SELECTED, activations == 16)
        self._lowering = Lowering(
            self._storage, self._weights, self._batch, self._layout, N_TOKENS, self.n_threads
        )
        steps = [step for op in ops for step in self._lowering.lower(op)]
        report = (lambda i, n, name: progress("compiling", i, n)) if progress else None
        self._tape = Tape(steps, report)
        self.times = LoadTimes(packed - start, perf_counter() - packed)
        self._team = Team(self._tape.entries, self.n_threads)
        self._running = threading.Lock()
        self._logits = self._storage.rows[graph.output].array

    @property
    def n_batch(self) -> int:
        """Tokens of one run of the tape, at most."""
        return N_TOKENS

    @property
    def weight_bytes(self) -> int:
        """Bytes of packed weights: what one token has to read, embedding lookups aside."""
        return self._weights.n_bytes

    @property
    def cache_bytes(self) -> int:
        """Bytes of one sequence's cache."""
        return self._layout.n_bytes

    def new_state(self) -> CPUState:
        return CPUState(self._layout)

    def run(
        self, state: Any, ids: npt.NDArray[np.int32], logits: Literal["all", "last"] = "last"
    ) -> Float32:
        ids = np.asarray(ids, np.int32)
        if not len(ids):
            raise ValueError("there are no tokens to run")
        if state.n_past + len(ids) > self.n_context:
            raise ContextFull(state.n_past, len(ids), self.n_context)
        if logits == "all":
            parts = [self._run(state, p, len(p)) for p in _pieces(ids, N_SELECTED)]
            return np.concatenate(parts)
        for piece in _pieces(ids, N_TOKENS):
            result = self._run(state, piece, 1)
        return result

    def _run(self, state: CPUState, ids: npt.NDArray[np.int32], n_logits: int) -> Float32:
        """Run the tape once; return the logits of the last `n_logits` tokens."""
        n = len(ids)
        self._team.check()
        with self._running:  # one tape, one set of buffers: others queue
            self._batch.fill(ids, state.n_past, state.address, range(n - n_logits, n))
            self._team.run()
            state.n_past += n
            return self._logits[:n_logits, : self.n_vocab].copy()

    def __del__(self) -> None:
        if team := getattr(self, "_team", None):
            team.close()


def _packed(ops: list[Op], n_threads: int, progress: Progress | None) -> PackedWeights:
    report = (lambda done, total: progress("packing", done, total)) if progress else None
    return PackedWeights(matrices_of(ops), n_threads, report)


def _pieces(ids: npt.NDArray[np.int32], n: int) -> list[npt.NDArray[np.int32]]:
    return [ids[i : i + n] for i in range(0, len(ids), n)]
