"""What is fastest for a model on this machine: measured in seconds, remembered in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean
from time import perf_counter

import numpy as np

from ... import cache
from ...graph import Graph
from ...kernels.tiles import SPARE, TileShape, tile_shape
from ...simd import target
from .cores import allowed_cpus, default_threads
from .executor import CPUExecutor
from .machine import cpu_name

N_PROMPT, N_REPLY, N_ROUNDS = 192, 16, 3  # tokens of a measurement, and how often it is made
GAIN = 1.02  # what is less better than this is noise


@dataclass(frozen=True)
class Tuning:
    """Threads, and how products of several tokens are cut."""

    n_threads: int
    shape: TileShape

    def __str__(self) -> str:
        threads = "1 thread" if self.n_threads == 1 else f"{self.n_threads} threads"
        return f"{threads}, tiles {self.shape}, panels of {self.shape.panel}"


@dataclass(frozen=True)
class Speed:
    """Tokens per second of a prompt, and of a reply."""

    prompt: float
    reply: float


Report = Callable[[Tuning, Speed], None]


def tune(graph: Graph, n_context: int, report: Report, activations: int = 16) -> Tuning:
    """Measure the number of threads, then the shape of tiles; remember and return the best."""
    start = Tuning(default_threads(), tile_shape())
    speeds: dict[Tuning, Speed] = {}

    def best_of(candidates: Iterator[Tuning], score: Callable[[Speed], float]) -> Tuning:
        best: Tuning | None = None
        for one in candidates:
            if one not in speeds:
                speeds[one] = measured(graph, n_context, one, activations)
                report(one, speeds[one])
            if best is None or score(speeds[one]) > GAIN * score(speeds[best]):
                best = one
        assert best
        return best

    best = best_of(threads_to_try(start), lambda s: geometric_mean([s.prompt, s.reply]))
    best = best_of(shapes_to_try(best), lambda s: s.prompt)
    remember(graph, best, activations)
    return best


def threads_to_try(start: Tuning) -> Iterator[Tuning]:
    """Yield the default first, then fewer, then all that there are."""
    n = start.n_threads
    for n_threads in dict.fromkeys([n, n - 1, n // 2, len(allowed_cpus())]):
        if n_threads > 0:
            yield Tuning(n_threads, start.shape)


def shapes_to_try(start: Tuning) -> Iterator[Tuning]:
    """Yield the default first, then other tiles and panels; AMX has a shape of its own."""
    yield start
    if target.current().has_tiles:
        return
    most = target.current().n_tokens
    tiles = [(2, 6), (2, 5), (1, 8), (2, 4)] if most >= 8 else [(1, most), (1, 2 * most), (2, most)]
    for n_groups, n_tokens in tiles:
        yield Tuning(start.n_threads, TileShape(n_groups, n_tokens, 16 * n_tokens))
    yield Tuning(start.n_threads, TileShape(start.shape.n_groups, start.shape.n_tokens, 192))


def measured(graph: Graph, n_context: int, tuning: Tuning, activations: int) -> Speed:
    """Return the best of a few rounds."""
    executor = CPUExecutor(
        graph, n_context, tuning.n_threads, activations=activations, shape=tuning.shape
    )
    n_prompt, n_reply = min(N_PROMPT, n_context // 2), min(N_REPLY, n_context // 4)
    ids = np.arange(n_prompt, dtype=np.int32) % executor.n_vocab
    rounds = [_round(executor, ids, n_reply) for _ in range(N_ROUNDS)]
    return Speed(n_prompt / min(p for p, _ in rounds), n_reply / min(r for _, r in rounds))


def _round(executor: CPUExecutor, ids: np.ndarray, n_reply: int) -> tuple[float, float]:
    state, start = executor.new_state(), perf_counter()
    executor.run(state, ids)
    middle = perf_counter()
    for i in range(n_reply):
        executor.run(state, ids[i : i + 1])
    return middle - start, perf_counter() - middle


# -- what was found -------------------------------------------------------------------------------


def remember(graph: Graph, tuning: Tuning, activations: int = 16) -> None:
    """Write a tuning to the cache."""
    path = place_of(graph, activations)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"cpu": cpu_name(), **asdict(tuning)}, indent=1))
    part.replace(path)


def remembered(graph: Graph, activations: int = 16) -> Tuning | None:
    """Return what was found for a model of this shape on this machine, if it makes sense."""
    try:
        found = json.loads(place_of(graph, activations).read_text())
        tuning = Tuning(int(found["n_threads"]), TileShape(**found["shape"]))
        return tuning if makes_sense(tuning) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def makes_sense(tuning: Tuning) -> bool:
    """Tell whether a tuning that was read can be run."""
    shape = tuning.shape
    fits = shape.n_groups in (1, 2) and 0 < shape.n_tokens <= min(SPARE, shape.panel)
    return fits and 0 < tuning.n_threads <= 4096


def place_of(graph: Graph, activations: int) -> Path:
    """Return where a tuning is kept.

    It is named after the machine, and the types and shapes of the weights.
    """
    weights = [(t.name, t.type.name, t.shape) for t in graph.tensors()]
    machine = (cpu_name(), target.current().name, sorted(allowed_cpus()), activations)
    digest = hashlib.sha256(repr((machine, weights)).encode()).hexdigest()[:16]
    return cache.cache_folder() / "tuning" / f"{digest}.json"
