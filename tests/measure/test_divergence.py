"""The figures of a comparison, on distributions whose divergence is known."""

import numpy as np
import pytest

from ggjit.measure import Estimate, divergence, log_softmax, mean, pooled


def logits(*rows):
    return np.log(np.array(rows)).astype(np.float32)


def apart(p, q, next_ids=None, **options):
    next_ids = np.zeros(len(p), np.int32) if next_ids is None else np.array(next_ids)
    return divergence(map(log_softmax, p), q, next_ids, **options)


def test_kl_of_known_distributions():
    found = apart(logits([0.5, 0.5], [0.9, 0.1]), logits([0.25, 0.75], [0.9, 0.1]))
    wanted = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert found.kl == pytest.approx([wanted, 0.0], abs=1e-7)
    assert found.same_top.tolist() == [False, True]


def test_direction_and_shift():
    """Probabilities are the base's; a constant added to logits changes nothing."""
    p, q = logits([0.7, 0.2, 0.1]), logits([0.1, 0.2, 0.7])
    there, back = apart(p, q).mean_kl.value, apart(q, p).mean_kl.value
    assert there == pytest.approx(0.6 * np.log(7), abs=1e-6)
    assert back == pytest.approx(there, abs=1e-6)
    assert apart(p, p + 100).mean_kl.value == pytest.approx(0, abs=1e-5)


def test_what_is_too_unlikely_is_left_out():
    p, q = logits([0.9, 0.1]), logits([0.5, 0.5])
    assert apart(p, q, least=np.log(0.2)).kl == pytest.approx([0.9 * np.log(0.9 / 0.5)])


def test_the_token_that_followed():
    p, q = logits([0.5, 0.5], [0.9, 0.1]), logits([0.25, 0.75], [0.9, 0.1])
    found = apart(p, q, [1, 0])
    assert np.exp(-found.nll) == pytest.approx([0.75, 0.9])
    assert np.exp(-found.base_nll) == pytest.approx([0.5, 0.9])
    assert found.delta_p == pytest.approx([0.25, 0])
    assert found.rms_delta_p.value == pytest.approx(0.25 / np.sqrt(2))
    assert found.perplexity.value == pytest.approx(1 / np.sqrt(0.75 * 0.9))
    assert found.base_perplexity.value == pytest.approx(1 / np.sqrt(0.5 * 0.9))
    ratio = found.perplexity.value / found.base_perplexity.value
    assert found.log_ratio.exp().value == pytest.approx(ratio)


def test_errors_are_those_of_a_mean(rng):
    values = rng.normal(size=50)
    sums = (values**2).sum() / 50 - values.mean() ** 2
    assert mean(values) == pytest.approx((values.mean(), np.sqrt(sums / 49)))
    assert mean(values[:1]).error == 0
    assert Estimate(2.0, 0.1).exp() == pytest.approx((np.e**2, 0.1 * np.e**2))
    assert Estimate(4.0, 0.1).sqrt() == pytest.approx((2.0, 0.025))
    assert Estimate(0.0, 0.0).sqrt() == (0, 0)


def test_no_difference_at_all(rng):
    p = rng.normal(size=(20, 9)).astype(np.float32)
    found = apart(p, p, rng.integers(0, 9, 20))
    assert found.correlation == pytest.approx(1)
    assert found.difference == pytest.approx((0, 0), abs=1e-12)
    assert found.same_top_share == (1, 0)
    assert apart(p[:1], p[:1]).correlation == 1  # where there is nothing to correlate


def test_pooled_weighs_positions_not_passages():
    one = apart(logits([0.5, 0.5]), logits([0.25, 0.75]))
    none = apart(logits(*[[0.5, 0.5]] * 3), logits(*[[0.5, 0.5]] * 3))
    both = pooled([one, none])
    assert both.mean_kl.value == pytest.approx(one.mean_kl.value / 4)
    assert both.same_top_share.value == 0.75
