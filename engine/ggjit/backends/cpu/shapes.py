"""The tiles of a type's products: measured when they are first needed, remembered from then on.

`ggjit tune` looks at a whole model instead (tuning.py), and what it found goes first.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from time import perf_counter

import numpy as np

from ...formats import Format, IntLanes, find
from ...graph import ExpertLinear, Graph, HeadLinear, Linear
from ...jit import compile_kernels
from ...kernels.linear_int8 import linear_int8, scratch_bytes
from ...kernels.tiles import TileShape, form_of, tile_shape
from ...simd import target
from .. import Progress
from .findings import can_keep, keep, place_of, read, shape_in
from .memory import address, aligned
from .storage import new_quantized, new_rows
from .threads import Call

PANELS = (96, 192, 384)  # tokens
LEAST = 32_000_000  # weights: a smaller model's prompts are over before a measurement would be
N_ROWS, N_COLUMNS, N_TOKENS = 256, 2048, 384  # of the product that is timed: a few milliseconds
N_ROUNDS = 25
GAIN = 1.03  # what is less better than this is noise

log = logging.getLogger("ggjit")


def shapes_to_try() -> list[TileShape]:
    """Return the default, then the target's other tiles and panels; AMX has tiles of its own."""
    if target.current().has_tiles:
        return [tile_shape()]
    tried = [TileShape(*tile, panel) for tile in target.current().tiles for panel in PANELS]
    return list(dict.fromkeys([tile_shape(), *tried]))


def shape_of(
    graph: Graph, activations: int, progress: Progress | None = None, anew: bool = False
) -> TileShape:
    """Return the fastest shape for the type that most of a model's weights have.

    Where nothing is remembered, or `anew`, it is measured, which `progress` is told of; not for
    small models, nor where it could not be remembered.
    """
    fmt, shapes = main_format(graph), shapes_to_try()
    if fmt is None or len(shapes) == 1:
        return shapes[0]
    path = place_of("tiles", fmt.name, activations)
    found = None if anew else shape_in(read(path))
    if found is None and can_keep(path):
        found = fastest(shapes, fmt, form_of([fmt], activations == 16), progress)
        log.info("tiles for %s: %s, panels of %d", fmt.name, found, found.panel)
        with suppress(OSError):  # a full disk: the next start measures again
            keep(path, {"type": fmt.name, "activations": activations, "shape": asdict(found)})
    return found or shapes[0]


def main_format(graph: Graph) -> Format | None:
    """Return the format of most weights that prompts are multiplied by, if integers and many."""
    n_weights: Counter[Format] = Counter()
    for op in graph.ops:
        if isinstance(op, Linear | ExpertLinear | HeadLinear) and not op.out.selected:
            n_weights[find(op.weight)] += op.weight.n_elements
    for fmt, n in n_weights.most_common(1):
        if isinstance(fmt.lanes, IntLanes) and n >= LEAST:
            return fmt
    return None


def fastest(
    shapes: list[TileShape], fmt: Format, form: int, progress: Progress | None = None
) -> TileShape:
    """Compile and time each shape; return the first unless another is clearly better."""
    report = (lambda i, n, name: progress("choosing tiles", i, n)) if progress else None
    compile_kernels([linear_int8(fmt, form, False, s) for s in shapes], report)
    seconds = seconds_of(shapes, fmt, form)
    best = min(shapes, key=lambda s: seconds[s])
    return best if seconds[shapes[0]] > GAIN * seconds[best] else shapes[0]


def seconds_of(shapes: list[TileShape], fmt: Format, form: int) -> dict[TileShape, float]:
    """Return the least seconds of one thread's product, the shapes taking turns.

    Numbers are zeros, which take as long as others.
    """
    weights = aligned(N_ROWS * N_COLUMNS // fmt.n_columns * fmt.packed_bytes, np.uint8)
    x, out = new_quantized(N_COLUMNS, N_TOKENS, form), new_rows(N_ROWS, N_TOKENS)
    scratch = aligned(max(scratch_bytes(fmt, form, N_COLUMNS, s) for s in shapes), np.uint8)
    for memory in (weights, x.q, x.meta):
        memory.fill(0)  # untouched pages would all be one
    count = np.array([N_TOKENS])
    shared = {
        "weights": address(weights), "x": address(x.q), "meta": address(x.meta), "bias": 0,
        "residual": 0, "out": out.address, "count": address(count), "n_rows": N_ROWS,
        "n_columns": N_COLUMNS, "stride": out.stride, "fields": 0, "n_fields": 0,
        "scratch": address(scratch), "scratch_step": 0,
    }  # fmt: skip
    calls = {
        s: Call(linear_int8(fmt, form, False, s), 0, 1, panel=s.panel, **shared) for s in shapes
    }
    rounds = [{s: seconds_to(call) for s, call in calls.items()} for _ in range(N_ROUNDS)]
    return {s: min(times[s] for times in rounds) for s in shapes}


def seconds_to(call: Call) -> float:
    """Time one call."""
    start = perf_counter()
    call()
    return perf_counter() - start
