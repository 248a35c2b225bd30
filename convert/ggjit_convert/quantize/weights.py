"""How much an error in each column counts while a scale is searched for.

Each function returns `weigh(x, importance, mean, w)`: it writes the weights of `width` columns of
a block, whose mean square is `mean`, and returns their sum. What counts more or less has shown
its worth in models, not in squared errors (ggml-quants.c).
"""

from __future__ import annotations

from typing import Any

from numba import float32

from ggjit.jit import device
from ggjit.simd.ops import absolute, fma, load, root, splat, store, zeros
from ggjit.simd.types import f32x16

from .columns import column, mean_square


def by_size(width: int, typical: float) -> Any:
    """A value counts by its size and `typical` times that of its neighbours."""

    @device
    def weigh(x, importance, mean, w):  # type: ignore[no-untyped-def]
        base, total = root(mean_square(x, width)) * typical, zeros(f32x16)
        for j in range(width):
            total = total + put(w, j, base + absolute(column(x, j)))
        return total

    return weigh


def by_square(width: int) -> Any:
    """A value counts by its square."""

    @device
    def weigh(x, importance, mean, w):  # type: ignore[no-untyped-def]
        total = zeros(f32x16)
        for j in range(width):
            total = total + put(w, j, column(x, j) * column(x, j))
        return total

    return weigh


def by_importance(width: int, times: float) -> Any:
    """Importance counts times the root of the value's square and `times` the mean square."""

    @device
    def weigh(x, importance, mean, w):  # type: ignore[no-untyped-def]
        total = zeros(f32x16)
        for j in range(width):
            size = root(fma(column(x, j), column(x, j), mean * times))
            total = total + put(w, j, given(importance, j) * size)
        return total

    return weigh


def by_importance_alone(width: int) -> Any:
    """Importance counts as it is given."""

    @device
    def weigh(x, importance, mean, w):  # type: ignore[no-untyped-def]
        total = zeros(f32x16)
        for j in range(width):
            total = total + put(w, j, given(importance, j))
        return total

    return weigh


@device
def put(w, j, weight):  # type: ignore[no-untyped-def]
    store(w + 64 * j, weight)
    return weight


@device
def given(importance, j):  # type: ignore[no-untyped-def]
    return splat(f32x16, load(float32, importance + 4 * j))
