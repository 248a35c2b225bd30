"""Sums of squares by column, of rows in groups."""

from itertools import pairwise

import numpy as np
import pytest
from guarded import Guarded, padded, run

from ggjit.kernels import squares


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize(("n_stack", "n_columns"), [(1, 1), (1, 48), (3, 37), (5, 100)])
def test_sums_grow_by_squares_of_a_groups_rows(rng, n_stack, n_columns, n_threads):
    counts = rng.integers(0, 7, n_stack)
    starts = np.cumsum([0, *counts])
    x = rng.normal(size=(starts[-1] + 1, n_columns)).astype(np.float32)
    rows, sums = Guarded.rows(x), Guarded.of(np.ones((n_stack, padded(n_columns))))
    totals, scratch = Guarded.of(np.arange(n_stack)), Guarded(n_threads * 64, np.uint8)
    at, n = Guarded.of(starts), Guarded.of(counts)
    run(
        squares.add_squares, n_threads, sums, totals, scratch, x=rows.address, stride=rows.stride,
        starts=at.address, counts=n.address, n_stack=n_stack, n_columns=n_columns,
        sums=sums.address, sums_step=sums.stride, totals=totals.address, scratch=scratch.address,
        scratch_step=64,
    )  # fmt: skip
    groups = [x[a:b].astype(np.float64) for a, b in pairwise(starts)]
    expected = [1 + (group**2).sum(0) for group in groups]
    np.testing.assert_allclose(sums.array[:, :n_columns], expected, rtol=1e-6)
    np.testing.assert_array_equal(totals.array, np.arange(n_stack) + counts)
