"""Gated units against their formulas."""

import numpy as np
import pytest
from calls import quantize_rows, silu_mul
from quantized import assert_same_integers

from ggjit.backends.reference import UNITS
from ggjit.kernels.gates import gated
from ggjit.kernels.tiles import BLOCKS, BYTES, WIDE

SHAPES = [(1, 1), (2, 31), (3, 33), (7, 100), (33, 64)]


@pytest.mark.parametrize("unit", sorted(UNITS))
@pytest.mark.parametrize("shape", SHAPES)
def test_every_unit(rng, shape, unit):
    gate, up = (5 * rng.normal(size=(2, *shape))).astype(np.float32)
    got, _ = silu_mul(gate, up, 2, kernel=gated(unit))
    np.testing.assert_allclose(got, UNITS[unit](gate, up), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS])
@pytest.mark.parametrize("unit", ["clamped", "sigmoid"])
def test_integers_of_results(rng, unit, form):
    gate, up = rng.normal(size=(2, 5, 768)).astype(np.float32)
    got, integers = silu_mul(gate, up, 3, form, gated(unit))
    assert_same_integers(integers, quantize_rows(got, form=form))


def test_what_clamps():
    gate, up = np.array([[-50, 3, 50, 50]], np.float32), np.array([[9, -9, 9, -9]], np.float32)
    got, _ = silu_mul(gate, up, kernel=gated("clamped"))
    by = np.array([-50, 3, 7, 7]) / (1 + np.exp(-1.702 * np.array([-50, 3, 7, 7])))
    np.testing.assert_allclose(got[0], by * (np.array([7, -7, 7, -7]) + 1), rtol=1e-5)
