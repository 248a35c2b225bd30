"""A graph on this machine's cores: packed weights, planned buffers, one tape for any batch."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ...formats import Format, find
from ...graph import Buffer, ExpertLinear, Graph, HeadLinear, Linear, Op, Route
from ...kernels.cache_formats import cache_format
from ...kernels.tiles import TileShape, form_of
from .. import Float32, Latent, Logits, Progress, check_parts
from .batch import Batch, Part
from .budget import warn_of_cache
from .cache import CacheLayout, CPUState
from .cores import default_threads
from .fuse import fuse_residuals, transpose_weights
from .latent import Choice, expanded
from .lower import Lowering, reads_integers
from .lower_attention import expanded_bytes
from .storage import plan
from .tape import Progress as Report
from .tape import Tape
from .threads import Team
from .weights import PackedWeights, Packing, matrices_of, n_matrices, packed_bytes

N_TOKENS = 512  # tokens of one run of the tape
N_SELECTED = 64  # logits of one run
ACTIVATIONS = 16  # bits


@dataclass(frozen=True)
class LoadTimes:
    """Seconds."""

    pack: float
    compile: float


class Form:
    """One way to compute a graph: where its operations leave what they make, and their tape."""

    def __init__(self, ops: list[Op], lowering: Lowering, report: Report | None) -> None:
        self.storage, self._lowering = lowering.storage, lowering  # which owns what steps point to
        steps = [step for op in ops for step in lowering.lower(op)]
        self.tape = Tape(steps, lowering.n_threads, report)
        self.logits = self.storage.rows[ops[-1].out].array


class CPUExecutor:
    """Runs a graph on the CPU, with activations of 8 or 16 bits before integer weights.

    Memory for keys and values grows by what `n_sequences` full contexts need. `latent` attention is
    computed absorbed or expanded, "auto": as is cheaper for a batch (see latent.py).
    """

    lowering: type[Lowering] = Lowering

    def __init__(
        self, graph: Graph, n_context: int, n_threads: int | None = None,
        progress: Progress | None = None, activations: int = ACTIVATIONS,
        cache_types: tuple[str, str] = ("f16", "f16"), n_sequences: int = 1,
        packing: Packing = "auto", shape: TileShape | None = None, latent: Latent = "auto",
    ) -> None:  # fmt: skip
        self.n_context, self.n_vocab = n_context, graph.output.width
        n_threads = n_threads or default_threads()
        self.cache_types = cache_types  # of keys and of values
        ops = self._ops = transpose_weights(fuse_residuals(graph.ops))
        self._choice = Choice(expanded(ops), latent)
        k_format, v_format = map(cache_format, cache_types)
        self._layout = CacheLayout(ops, n_context, N_TOKENS, k_format, v_format, n_sequences)
        start = perf_counter()
        report_packing = partial(progress, "packing") if progress else None
        self._factors = {
            op.weight.name: (op.weight, read_of(op))
            for op in ops
            if isinstance(op, Linear | ExpertLinear | HeadLinear)
        }
        may_expand = self._choice.may_expand(n_context, N_TOKENS)
        n_bytes = n_sequences * self._layout.n_bytes
        if may_expand:
            n_bytes += expanded_bytes(self._choice.ops, self._layout.n_chunks)
        matrices = matrices_of(ops)
        if packing == "auto":
            warn_of_cache(n_sequences * n_context, n_bytes, sum(map(packed_bytes, matrices)))
        self._weights = PackedWeights(matrices, n_threads, report_packing, packing, n_bytes)
        self._routes = [op.out for op in ops if isinstance(op, Route)]
        packed = perf_counter()
        self._batch = Batch(N_TOKENS, N_SELECTED)
        wide = activations == 16
        self._storage = plan(ops, forms_of(ops, wide), N_TOKENS, N_SELECTED, wide)
        self._other_storage = None
        if may_expand:
            other, free = self._choice.ops, self._storage
            forms = forms_of(other, wide)
            self._other_storage = plan(other, forms, N_TOKENS, N_SELECTED, wide, free)
        self._make_tapes(n_threads, shape, progress)
        self.times = LoadTimes(packed - start, perf_counter() - packed)
        self._running = threading.Lock()

    def recut(self, n_threads: int, shape: TileShape) -> None:
        """Go on with so many threads and other tiles; weights and sequences stay as they are."""
        with self._running:
            self._team.close()
            self._make_tapes(n_threads, shape)

    def _make_tapes(
        self, n_threads: int, shape: TileShape | None, progress: Progress | None = None
    ) -> None:
        self.n_threads = n_threads
        self._lowering = self.lowering(
            self._storage, self._weights, self._batch, self._layout, N_TOKENS, n_threads, shape
        )
        report = (lambda i, n, name: progress("compiling", i, n)) if progress else None
        self._form = self._ran = Form(self._ops, self._lowering, report)
        if self._other_storage:
            other = self._lowering.beside(self._other_storage)
            self._expanded = Form(self._choice.ops, other, report)
        self._team = Team(n_threads)

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
        rows = {b: self._ran.storage.rows[b].array[:n_tokens] for b in self._routes}
        return {b.name: a[:, : b.width // 2].astype(np.int32) for b, a in rows.items()}

    def _run(self, pieces: Sequence[tuple[CPUState, npt.NDArray[np.int32], int]]) -> Float32:
        """Run the tape once; return the logits of the last `n` tokens of each (state, ids, n)."""
        self._team.check()
        with self._running:  # one tape, one set of buffers: others queue
            for state, ids, _ in pieces:
                state.reserve(len(ids))
            self._batch.fill([Part(ids, s.n_past, s.address, n) for s, ids, n in pieces])
            self._ran = self._form_of(pieces)
            self._team.run(self._ran.tape.entries)
            for state, ids, _ in pieces:
                state.advance(len(ids))
            return self._ran.logits[: sum(n for _, _, n in pieces), : self.n_vocab].copy()

    def _form_of(self, pieces: Sequence[tuple[CPUState, npt.NDArray[np.int32], int]]) -> Form:
        """Return the form that computes a batch: expanded only if one sequence is in it."""
        if len(pieces) > 1:
            return self._form
        [(state, ids, _)] = pieces
        return self._expanded if self._choice.expands(state.n_past, len(ids)) else self._form

    def __del__(self) -> None:
        if team := getattr(self, "_team", None):
            team.close()


def forms_of(ops: list[Op], wide: bool) -> dict[Buffer, int]:
    """Return the buffers that integer products read, and in which form."""
    formats: defaultdict[Buffer, list[Format]] = defaultdict(list)
    for op in ops:
        if isinstance(op, Linear) and reads_integers(op):
            formats[op.x].append(find(op.weight))
    return {x: form_of(of, wide) for x, of in formats.items()}


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
