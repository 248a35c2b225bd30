"""The Gaussian error linear unit, alone and as a gate."""

import naive
import numpy as np
import pytest
from calls import gelu, quantize_rows, silu_mul
from quantized import assert_same_integers

from ggjit.kernels.gates import gated
from ggjit.kernels.tiles import BLOCKS, BYTES, WIDE

SHAPES = [(1, 1), (1, 1536), (2, 31), (3, 33), (7, 100), (33, 64)]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_gelu(rng, shape, n_threads):
    x, up = (3 * rng.normal(size=(2, *shape))).astype(np.float32)
    expected = naive.gelu(x)
    np.testing.assert_allclose(gelu(x, n_threads)[0], expected, rtol=1e-5, atol=3e-7)
    got, _ = silu_mul(x, up, n_threads, kernel=gated("gelu"))
    np.testing.assert_allclose(got, expected * up, rtol=1e-5, atol=2e-6)


def test_far_from_zero():
    x = np.array([[-1e30, -500, -14, -12, -0.0, 0.0, 12, 500, 1e30]], np.float32)
    got, _ = gelu(x)
    np.testing.assert_allclose(got, np.where(x > 0, x, 0), atol=1e-20)


@pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_both_leave_the_integers_of_their_results(rng, n_threads, form):
    x, up = rng.normal(size=(2, 5, 768)).astype(np.float32)
    for got, integers in (
        gelu(x, n_threads, form),
        silu_mul(x, up, n_threads, form, gated("gelu")),
    ):
        assert_same_integers(integers, quantize_rows(got, form=form))
