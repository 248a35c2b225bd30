"""What is fastest for a model on this machine: measured in seconds, remembered in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean
from time import perf_counter

import numpy as np

from ...graph import Graph
from ...kernels.tiles import TileShape
from .cores import allowed_cpus, default_threads
from .executor import CPUExecutor
from .findings import keep, place_of, read, shape_in
from .shapes import shape_of, shapes_to_try

N_PROMPT, N_REPLY, N_ROUNDS = 384, 16, 3  # tokens of a measurement, and how often it is made
GAIN = 1.02  # what is less better than this is noise
MOST_THREADS = 4096  # that make sense


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
    """Measure the number of threads, then the shape of tiles; remember and return the best.

    Nothing that was remembered counts: it may have been measured on a busy machine.
    """
    start = Tuning(default_threads(), shape_of(graph, activations, anew=True))
    executor = CPUExecutor(
        graph, n_context, start.n_threads, activations=activations, shape=start.shape
    )
    speeds: dict[Tuning, Speed] = {}

    def best_of(candidates: Iterator[Tuning], score: Callable[[Speed], float]) -> Tuning:
        best: Tuning | None = None
        for one in candidates:
            if one not in speeds:
                speeds[one] = measured(executor, one)
                report(one, speeds[one])
            if best is None or score(speeds[one]) > GAIN * score(speeds[best]):
                best = one
        assert best
        return best

    best = best_of(threads_to_try(start), lambda s: geometric_mean([s.prompt, s.reply]))
    best = best_of(cuts_to_try(best), lambda s: s.prompt)
    remember(graph, best, activations)
    return best


def threads_to_try(start: Tuning) -> Iterator[Tuning]:
    """Yield the default first, then fewer, then all that there are."""
    n = start.n_threads
    for n_threads in dict.fromkeys([n, n - 1, n // 2, len(allowed_cpus())]):
        if n_threads > 0:
            yield Tuning(n_threads, start.shape)


def cuts_to_try(start: Tuning) -> Iterator[Tuning]:
    """Yield what there is first, then either other tiles or other panels."""
    yield start
    tile, panel = str(start.shape), start.shape.panel
    for shape in shapes_to_try():
        if (str(shape) == tile) != (shape.panel == panel):
            yield Tuning(start.n_threads, shape)


def measured(executor: CPUExecutor, tuning: Tuning) -> Speed:
    """Return the best of a few rounds."""
    executor.recut(tuning.n_threads, tuning.shape)
    n_context = executor.n_context
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
    """Write a tuning to the cache. Raises: OSError."""
    keep(place_of_model(graph, activations), asdict(tuning))


def remembered(graph: Graph, activations: int = 16) -> Tuning | None:
    """Return what was found for a model of this shape on this machine, if it makes sense."""
    found = read(place_of_model(graph, activations))
    shape = shape_in(found)
    try:
        n_threads = int(found["n_threads"]) if shape else 0
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return Tuning(n_threads, shape) if shape and 0 < n_threads <= MOST_THREADS else None


def place_of_model(graph: Graph, activations: int) -> Path:
    """Return where a tuning is kept: it depends on the types and shapes of the weights."""
    weights = [(t.name, t.type.name, t.shape) for t in graph.tensors()]
    return place_of(sorted(allowed_cpus()), activations, weights)
