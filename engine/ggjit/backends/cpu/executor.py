"""A graph on this machine's cores: packed weights, planned buffers, one tape for any batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph import ExpertLinear, Graph, HeadLinear, Linear, Route
from ...kernels.cache_formats import cache_format
from ...kernels.tiles import TileShape
from .. import Float32, Logits, Progress, check_parts
from .batch import Batch, Part
from .cache import CacheLayout, CPUState
from .cores import default_threads
from .fuse import fuse_residuals, transpose_weights
from .lower import Lowering, reads_integers
from .storage import plan
from .tape import Tape
from .threads import Team
from .weights import PackedWeights, Packing, matrices_of, n_matrices

N_TOKENS = 512  # tokens of one run of the tape
N_SELECTED = 64  # logits of one run
ACTIVATIONS = 16  # bits


@dataclass(frozen=True)
class LoadTimes:
    """Seconds."""

    pack: float
    compile: float


class CPUExecutor:
    """Runs a graph on the CPU, with activations of 8 or 16 bits before integer weights.

    Memory for keys and values grows by what `n_sequences` full contexts need.
    """

    lowering: type[Lowering] = Lowering

    def __init__(
        self, graph: Graph, n_context: int, n_threads: int | None = None,
        progress: Progress | None = None, activations: int = ACTIVATIONS,
        cache_types: tuple[str, str] = ("f16", "f16"), n_sequences: int = 1,
        packing: Packing = "auto", shape: TileShape | None = None,
    ) -> None:  # fmt: skip
        self.n_context, self.n_vocab = n_context, graph.output.width
        n_threads = n_threads or default_threads()
        self.cache_types = cache_types  # of keys and of values
        ops = self._ops = transpose_weights(fuse_residuals(graph.ops))
        k_format, v_format = map(cache_format, cache_types)
        self._layout = CacheLayout(ops, n_context, N_TOKENS, k_format, v_format, n_sequences)
        start = perf_counter()
        report_packing = partial(progress, "packing") if progress else None
        self._factors = {
            op.weight.name: (op.weight, read_of(op))
            for op in ops
            if isinstance(op, Linear | ExpertLinear | HeadLinear)
        }
        self._weights = PackedWeights(
            matrices_of(ops), n_threads, report_packing, packing,
            n_sequences * self._layout.n_bytes,
        )  # fmt: skip
        self._routes = [op.out for op in ops if isinstance(op, Route)]
        packed = perf_counter()
        self._batch = Batch(N_TOKENS, N_SELECTED)
        quantized = {op.x for op in ops if isinstance(op, Linear) and reads_integers(op)}
        self._storage = plan(ops, quantized, N_TOKENS, N_SELECTED, activations == 16)
        self._make_tape(n_threads, shape, progress)
        self.times = LoadTimes(packed - start, perf_counter() - packed)
        self._running = threading.Lock()
        self._logits = self._storage.rows[graph.output].array

    def recut(self, n_threads: int, shape: TileShape) -> None:
        """Go on with so many threads and other tiles; weights and sequences stay as they are."""
        with self._running:
            self._team.close()
            self._make_tape(n_threads, shape)

    def _make_tape(
        self, n_threads: int, shape: TileShape | None, progress: Progress | None = None
    ) -> None:
        self.n_threads = n_threads
        self._lowering = self.lowering(
            self._storage, self._weights, self._batch, self._layout, N_TOKENS, n_threads, shape
        )
        steps = [step for op in self._ops for step in self._lowering.lower(op)]
        report = (lambda i, n, name: progress("compiling", i, n)) if progress else None
        self._tape = Tape(steps, n_threads, report)
        self._team = Team(self._tape.entries, n_threads)

    @property
    def n_batch(self) -> int:
        """Tokens of one run of the tape, at most."""
        return N_TOKENS

    @property
    def weight_bytes(self) -> int:
        """Bytes of the matrices that a run of one token multiplies by: of experts, the chosen."""
        n_bytes = self._weights.n_bytes
        return sum(int(n_bytes(t) * part) for t, part in self._factors.values())

    def cache_bytes_read(self, n_past: int) -> int:
        """Bytes of keys and values that a token behind `n_past` others looks at."""
        return self._layout.bytes_read(n_past)

    def new_state(self) -> CPUState:
        return CPUState(self._layout)

    def run(self, state: Any, ids: npt.NDArray[np.int32], logits: Logits = "last") -> Float32:
        return self.run_batch([(state, ids, logits)])[0]

    def run_batch(
        self, parts: Sequence[tuple[Any, npt.NDArray[np.int32], Logits]]
    ) -> list[Float32]:
        parts = [(state, np.asarray(ids, np.int32), logits) for state, ids, logits in parts]
        check_parts(parts, self.n_context)
        made: list[list[Float32]] = [[] for _ in parts]
        for run in plan_runs([(len(ids), logits) for _, ids, logits in parts]):
            pieces = [(parts[p.part][0], parts[p.part][1][p.start : p.end], p) for p in run]
            rows = self._run([(state, ids, p.n_logits) for state, ids, p in pieces])
            for _, _, p in pieces:
                made[p.part].append(rows[: p.n_logits])
                rows = rows[p.n_logits :]
        return [np.concatenate(rows) for rows in made]

    def chosen_experts(self) -> dict[str, npt.NDArray[np.int32]]:
        """Return what the routers of the last run chose. Shapes: by name, [n_tokens, n_used]."""
        n_tokens = int(self._batch.header[0])
        rows = {b: self._storage.rows[b].array[:n_tokens] for b in self._routes}
        return {b.name: a[:, : b.width // 2].astype(np.int32) for b, a in rows.items()}

    def _run(self, pieces: Sequence[tuple[CPUState, npt.NDArray[np.int32], int]]) -> Float32:
        """Run the tape once; return the logits of the last `n` tokens of each (state, ids, n)."""
        self._team.check()
        with self._running:  # one tape, one set of buffers: others queue
            for state, ids, _ in pieces:
                state.reserve(len(ids))
            self._batch.fill([Part(ids, s.n_past, s.address, n) for s, ids, n in pieces])
            self._team.run()
            for state, ids, _ in pieces:
                state.advance(len(ids))
            return self._logits[: sum(n for _, _, n in pieces), : self.n_vocab].copy()

    def __del__(self) -> None:
        if team := getattr(self, "_team", None):
            team.close()


def read_of(op: Linear | ExpertLinear | HeadLinear) -> float:
    """Return what part of its matrices a product reads for one token."""
    return op.out.n_chosen / n_matrices(op.weight) if isinstance(op, ExpertLinear) else 1.0


@dataclass(frozen=True)
class Piece:
    """What one run takes of a part: tokens `start` to `end`, the last `n_logits` with logits."""

    part: int
    start: int
    end: int
    n_logits: int


def plan_runs(parts: Sequence[tuple[int, Logits]]) -> list[list[Piece]]:
    """Cut parts of (tokens, which logits) into runs of the tape, each filled in order."""
    runs: list[list[Piece]] = [[]]
    n_tokens, n_selected = 0, 0
    for i, (n, logits) in enumerate(parts):
        start = 0
        while start < n:
            room = N_TOKENS - n_tokens
            if logits == "all":
                room = min(room, N_SELECTED - n_selected)
            end = min(n, start + room)
            n_logits = {"all": end - start, "last": int(end == n), "none": 0}[logits]
            if end == start or n_selected + n_logits > N_SELECTED:
                runs.append([])
                n_tokens, n_selected = 0, 0
                continue
            runs[-1].append(Piece(i, start, end, n_logits))
            n_tokens, n_selected, start = n_tokens + end - start, n_selected + n_logits, end
    return [run for run in runs if run]
