"""Activations to integers of 8 or 16 bits."""

import numpy as np
import pytest
from calls import assert_same_integers, quantize_rows

from ggjit.simd.dot import in_words

WIDE = pytest.mark.parametrize("wide", [False, True], ids=["8 bits", "16 bits"])


def levels(wide):
    return 127 * 256 if wide else 127


@WIDE
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("n_tokens", "n_columns"), [(1, 32), (2, 64), (3, 576), (7, 96), (33, 160)]
)
def test_each_value_is_rounded_to_the_nearest_step(rng, n_tokens, n_columns, n_threads, wide):
    x = rng.normal(size=(n_tokens, n_columns)) * 10.0 ** rng.integers(-6, 6, (n_tokens, 1))
    x = x.astype(np.float32)
    got = quantize_rows(x, n_threads, wide)

    blocks, q = x.reshape(n_tokens, -1, 32), got.q.reshape(n_tokens, -1, 32)
    largest = np.abs(blocks).max(axis=-1)
    np.testing.assert_array_equal(got.scale, largest / np.float32(levels(wide)))
    np.testing.assert_array_equal(got.sum, q.sum(axis=-1))
    np.testing.assert_array_equal(got.first_sum, q[..., :16].sum(axis=-1))
    assert np.all(np.abs(q).max(axis=-1) == levels(wide))
    slack = 0.506 if wide else 0.50002  # the product before rounding is rounded itself
    assert np.all(np.abs(got.values() - x) <= np.repeat(got.scale, 32, axis=1) * slack)


@WIDE
def test_a_block_of_zeros_is_zero(wide):
    x = np.zeros((2, 64), np.float32)
    x[0, 40] = -2 * levels(wide)
    got = quantize_rows(x, wide=wide)
    np.testing.assert_array_equal(got.values(), x)
    assert got.sum.tolist() == [[0, -levels(wide)], [0, 0]]


@WIDE
@pytest.mark.parametrize("size", [3e38, 1e30, 1e-30, 1e-32, 1e-34, 1e-36, 1e-38, 1.5e-45])
def test_huge_and_tiny_values_stay_within_a_step(rng, size, wide):
    x = (rng.uniform(-1, 1, (3, 64)) * size).astype(np.float32)
    x[:, ::32], x[:, 1::32] = size, 0
    got = quantize_rows(x, wide=wide)
    assert np.all(np.isfinite(got.scale))
    assert np.all(np.abs(got.q) <= levels(wide))
    assert np.all(np.abs(got.sum) <= levels(wide) * 32)
    bound = max(size / levels(wide) * 0.51, 2e-33)  # below, it may as well be zero
    assert np.all(np.abs(got.values() - x) <= bound)


@WIDE
def test_a_token_is_the_same_alone_and_in_a_batch(rng, wide):
    x = rng.normal(size=(9, 96)).astype(np.float32)
    whole = quantize_rows(x, 2, wide)
    for t in range(9):
        alone = quantize_rows(x[t : t + 1], 3, wide)
        assert_same_integers(alone, whole.only(slice(t, t + 1)))


def test_every_16_bit_number_is_kept_and_if_split_both_bytes_are_signed():
    """One block holds 31 numbers beside the largest, which makes the scale 1."""
    numbers = np.arange(-levels(True), levels(True) + 1)
    numbers = np.pad(numbers, (0, -len(numbers) % 31)).reshape(-1, 31)
    x = np.insert(numbers, 0, levels(True), axis=1).astype(np.float32)
    got = quantize_rows(x, wide=True)
    np.testing.assert_array_equal(got.q, x)
    if not in_words(True):
        assert np.all(np.abs(got.rows.array[: len(x), :32].astype(int)) <= 127)


@WIDE
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 17, 31])
def test_what_is_no_number_stays_none(rng, bad, column, wide):
    """One such value makes its block's scale NaN, and with it what is computed from the block."""
    x = rng.normal(size=(2, 64)).astype(np.float32)
    x[1, column] = bad
    assert np.isnan(quantize_rows(x, wide=wide).scale).tolist() == [[False, False], [True, False]]
