"""Elementwise steps between matrix products."""

import naive
import numpy as np
import pytest
from calls import add, quantize_rows, select, silu_mul
from quantized import assert_same_integers

from ggjit.kernels.tiles import BLOCKS, BYTES, WIDE

SHAPES = [(1, 1), (1, 1536), (2, 31), (3, 33), (7, 100), (33, 64), (4, 257)]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_silu_mul(rng, shape, n_threads):
    gate = (4 * rng.normal(size=shape)).astype(np.float32)
    up = rng.normal(size=shape).astype(np.float32)
    got, _ = silu_mul(gate, up, n_threads)
    np.testing.assert_allclose(got, naive.silu_mul(gate, up), rtol=1e-6)


def test_silu_mul_far_from_zero():
    gate = np.array([[-1e30, -500, -90, -88, -60, -0.0, 0.0, 60, 88, 90, 500, 1e30]], np.float32)
    got, _ = silu_mul(gate, np.ones_like(gate))
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(
        got, naive.silu_mul(np.maximum(gate, -700), 1), rtol=1e-6, atol=1e-35
    )


@pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_silu_mul_leaves_the_integers_of_its_result(rng, n_threads, form):
    gate, up = rng.normal(size=(2, 5, 768)).astype(np.float32)
    got, integers = silu_mul(gate, up, n_threads, form)
    assert_same_integers(integers, quantize_rows(got, form=form))


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_add(rng, shape, n_threads):
    a, b = rng.normal(size=(2, *shape)).astype(np.float32)
    np.testing.assert_array_equal(add(a, b, n_threads), a + b)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("chosen", [[0], [6], [2, 5, 6], list(range(7))])
def test_select(rng, chosen, n_threads):
    x = rng.normal(size=(7, 50)).astype(np.float32)
    np.testing.assert_array_equal(select(x, chosen, n_threads), x[chosen])
