"""Activations to int8."""

import numpy as np
import pytest
from calls import assert_same_int8, quantize_rows


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("n_tokens", "n_columns"), [(1, 32), (2, 64), (3, 576), (7, 96), (33, 160)]
)
def test_each_value_is_rounded_to_the_nearest_step(rng, n_tokens, n_columns, n_threads):
    x = rng.normal(size=(n_tokens, n_columns)) * 10.0 ** rng.integers(-6, 6, (n_tokens, 1))
    x = x.astype(np.float32)
    got = quantize_rows(x, n_threads)

    blocks, q = x.reshape(n_tokens, -1, 32), got.q.reshape(n_tokens, -1, 32)
    np.testing.assert_array_equal(got.scale, np.abs(blocks).max(axis=-1) / np.float32(127))
    np.testing.assert_array_equal(got.sum, q.sum(axis=-1, dtype=np.int32))
    np.testing.assert_array_equal(got.scaled_sum, got.scale * got.sum.astype(np.float32))
    assert np.all(np.abs(q).max(axis=-1) == 127)
    assert np.all(np.abs(got.values() - x) <= np.repeat(got.scale, 32, axis=1) * 0.5000153)


def test_a_block_of_zeros_is_zero():
    x = np.zeros((2, 64), np.float32)
    x[0, 40] = -254
    got = quantize_rows(x)
    np.testing.assert_array_equal(got.values(), x)
    assert got.sum.tolist() == [[0, -127], [0, 0]]


@pytest.mark.parametrize("size", [3e38, 1e30, 1e-30, 1e-36, 1e-37, 1e-38, 1.5e-45])
def test_huge_and_tiny_values_stay_within_a_step(rng, size):
    x = (rng.uniform(-1, 1, (3, 64)) * size).astype(np.float32)
    x[:, ::32], x[:, 1::32] = size, 0
    got = quantize_rows(x)
    assert np.all(np.isfinite(got.scale))
    assert np.all(np.abs(got.q.astype(int)) <= 127)
    assert np.all(np.abs(got.sum) <= 127 * 32)
    bound = max(size / 127 * 0.51, 2e-36)  # below, it may as well be zero
    assert np.all(np.abs(got.values() - x) <= bound)


def test_a_token_is_the_same_alone_and_in_a_batch(rng):
    x = rng.normal(size=(9, 96)).astype(np.float32)
    whole = quantize_rows(x, 2)
    for t in range(9):
        assert_same_int8(quantize_rows(x[t : t + 1], 3), whole.only(slice(t, t + 1)))
