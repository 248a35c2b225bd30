"""Rows made larger or smaller."""

import numpy as np
import pytest
from calls import scaled, temper

each_shape = pytest.mark.parametrize("shape", [(1, 1), (2, 31), (3, 33), (7, 100), (33, 64)])
each_team = pytest.mark.parametrize("n_threads", [1, 2, 3])


@each_team
@each_shape
def test_a_number_scales_all(rng, shape, n_threads):
    x = rng.normal(size=shape).astype(np.float32)
    got = scaled("scale", x, n_threads, by=0.22)
    np.testing.assert_array_equal(got, x * np.float32(0.22))


@each_team
@each_shape
def test_a_cap_bounds_smoothly(rng, shape, n_threads):
    x = (20 * rng.normal(size=shape)).astype(np.float32)
    got = scaled("softcap", x, n_threads, cap=30.0)
    np.testing.assert_allclose(got, 30 * np.tanh(x.astype("f8") / 30), rtol=1e-5, atol=3e-6)


def test_a_cap_is_reached_far_from_zero():
    x = np.array([[-1e30, -1e4, 0, 1e4, 1e30]], np.float32)
    np.testing.assert_array_equal(scaled("softcap", x, cap=7.0), [[-7, -7, 0, 7, 7]])


@each_team
def test_positions_scale_rows_by_steps(rng, n_threads):
    x, positions = rng.normal(size=(6, 40)).astype(np.float32), [0, 9, 10, 19, 20, 131071]
    by = 1 + 0.1 * np.log(1 + np.array([0, 0, 1, 1, 2, 13107]))
    moved = temper(x, [p - 3 for p in positions], 0.1, 10, n_threads, offset=3)
    got = temper(x, positions, 0.1, 10, n_threads)
    np.testing.assert_array_equal(moved, got)
    np.testing.assert_allclose(got, x * by[:, None], rtol=1e-6)
