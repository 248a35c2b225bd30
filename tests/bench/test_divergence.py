"""The figures of exactness, on distributions whose divergence is known."""

import numpy as np
import pytest
from divergence import divergence, pooled


def logits(*rows):
    return np.log(np.array(rows)).astype(np.float32)


def test_kl_of_known_distributions():
    found = divergence(logits([0.5, 0.5], [0.9, 0.1]), logits([0.25, 0.75], [0.9, 0.1]))
    wanted = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert found.kl == pytest.approx([wanted, 0.0], abs=1e-7)
    assert found.same_top.tolist() == [False, True]


def test_direction_and_shift():
    """Probabilities are the reference's; a constant added to logits changes nothing."""
    p, q = logits([0.7, 0.2, 0.1]), logits([0.1, 0.2, 0.7])
    there, back = divergence(p, q).mean, divergence(q, p).mean
    assert there == pytest.approx(0.6 * np.log(7), abs=1e-6)
    assert back == pytest.approx(there, abs=1e-6)
    assert divergence(p, p + 100).mean == pytest.approx(0, abs=1e-5)


def test_pooled_weighs_positions_not_passages():
    one = divergence(logits([0.5, 0.5]), logits([0.25, 0.75]))
    none = divergence(logits(*[[0.5, 0.5]] * 3), logits(*[[0.5, 0.5]] * 3))
    both = pooled([one, none])
    assert both.mean == pytest.approx(one.mean / 4)
    assert both.record()["same_top"] == 0.75
    assert both.cells()[-1] == "75.00%"
