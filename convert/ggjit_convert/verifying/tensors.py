"""How far a file's tensors are from what they were made of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from ggjit.gguf import GGMLType

from ..arrays import Array, forget
from ..encoding import bounds
from ..writing import Progress

EXACT = 1e-6  # what a type that holds the source's values may differ: arithmetic done elsewhere
FARTHEST = 0.9  # types of one bit reach half of it, rows in a wrong order more than 1


@dataclass(frozen=True)
class TensorError:
    """Sums of squares: of the differences, and of the source's values; `problem`: what is wrong."""

    name: str
    type: str
    shape: tuple[int, ...]
    squares: float = 0.0
    all_squares: float = 0.0
    problem: str | None = None

    @property
    def relative_rms(self) -> float:
        """The root of the mean squared difference, as a part of that of the source's values."""
        if not self.squares:
            return 0.0
        return math.sqrt(self.squares / self.all_squares) if self.all_squares else math.inf


def compare(
    expected: Mapping[str, Array], found: Mapping[str, Array], n_threads: int, progress: Progress
) -> list[TensorError]:
    """Compare every tensor of a file with what it is to be made of."""
    errors = []
    with ThreadPoolExecutor(n_threads) as pool:
        for i, name in enumerate([*expected, *(n for n in found if n not in expected)]):
            progress("comparing", i, len(found))
            if name not in found:
                a = expected[name]
                errors.append(TensorError(name, "", a.shape, problem="is missing in the file"))
            elif name not in expected:
                b, problem = found[name], "is not of the source"
                errors.append(TensorError(name, b.type.name, b.shape, problem=problem))
            else:
                errors.append(_compare(name, expected[name], found[name], pool))
                forget(expected[name])
                forget(found[name])
    return errors


def by_type(errors: Sequence[TensorError]) -> dict[str, TensorError]:
    """Return errors of all tensors of a type together."""
    groups: dict[str, list[TensorError]] = defaultdict(list)
    for error in errors:
        if error.all_squares:
            groups[error.type].append(error)
    return {
        kind: TensorError(
            f"{len(of)} tensors", kind, (), sum(e.squares for e in of),
            sum(e.all_squares for e in of),
        )
        for kind, of in groups.items()
    }  # fmt: skip


def _compare(name: str, a: Array, b: Array, pool: ThreadPoolExecutor) -> TensorError:
    error = partial(TensorError, name, b.type.name, b.shape)
    if a.shape != b.shape:
        return error(problem=f"has shape {list(b.shape)}, the source's is {list(a.shape)}")
    sums = list(pool.map(lambda part: _sums(a, b, *part), bounds(a.shape)))
    squares, all_squares = (float(sum(column)) for column in zip(*sums, strict=True))
    plain = error(squares, all_squares)
    return error(squares, all_squares, problem=_problem(plain, a.type, b.type))


def _sums(a: Array, b: Array, start: int, stop: int) -> tuple[float, float]:
    expected = a.rows(start, stop).astype(np.float64)
    difference = b.rows(start, stop) - expected
    return float(np.vdot(difference, difference)), float(np.vdot(expected, expected))


def _problem(error: TensorError, source: GGMLType, found: GGMLType) -> str | None:
    rms = error.relative_rms
    if not math.isfinite(error.squares):
        return "has values that are not finite"
    if found in (source, GGMLType.F32) and rms > EXACT:
        return f"differs, though {found.name} holds {source.name} exactly"
    return "has little to do with the source's" if rms > FARTHEST else None


def lines(errors: Sequence[TensorError]) -> Iterator[str]:
    """Yield a line for each tensor."""
    width = max((len(e.name) for e in errors), default=0)
    for e in errors:
        shape = "x".join(map(str, e.shape))
        yield f"{e.name:{width}}  {shape:>16}  {e.type:8}  {e.problem or f'{e.relative_rms:.2e}'}"
