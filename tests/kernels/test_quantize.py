"""Activations to integers of 8 or 16 bits."""

import numpy as np
import pytest
from calls import quantize_rows
from quantized import assert_same_integers

from ggjit.kernels.tiles import BLOCK, BLOCKS, BYTES, WIDE
from ggjit.simd.dot import in_words

FORMS = pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS], ids=["8", "16", "blocks"])


def levels(form):
    return 127 if form == BYTES else 127 * 256


def shared(form):
    """How many columns share a scale."""
    return BLOCK if form == BLOCKS else 32


@FORMS
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("n_tokens", "n_columns"), [(1, 32), (2, 64), (3, 576), (7, 96), (33, 160)]
)
def test_each_value_is_rounded_to_the_nearest_step(rng, n_tokens, n_columns, n_threads, form):
    n_columns *= BLOCK // 32 if form == BLOCKS else 1
    x = rng.normal(size=(n_tokens, n_columns)) * 10.0 ** rng.integers(-6, 6, (n_tokens, 1))
    x = x.astype(np.float32)
    got = quantize_rows(x, n_threads, form)

    blocks, q = (a.reshape(n_tokens, -1, shared(form)) for a in (x, got.q))
    largest = np.abs(blocks).max(axis=-1)
    scale = np.repeat(largest / np.float32(levels(form)), shared(form) // 32, axis=1)
    np.testing.assert_array_equal(got.scale, scale)
    assert np.all(np.abs(q).max(axis=-1) == levels(form))
    slack = 0.50002 if form == BYTES else 0.506  # the product before rounding is rounded itself
    assert np.all(np.abs(got.values() - x) <= np.repeat(got.scale, 32, axis=1) * slack)


@FORMS
def test_sums_are_kept(rng, form):
    x = rng.normal(size=(5, 768)).astype(np.float32)
    got = quantize_rows(x, 2, form)
    runs = got.q.reshape(5, -1, 2, 16).sum(axis=-1)
    np.testing.assert_array_equal(got.sum, runs.sum(axis=-1))
    np.testing.assert_array_equal(got.first_sum, runs[..., 0])
    if form == BLOCKS:
        np.testing.assert_array_equal(got.sums(2), runs[..., 1])


@FORMS
def test_a_block_of_zeros_is_zero(form):
    n = shared(form)
    x = np.zeros((2, 2 * n), np.float32)
    x[0, n + 8] = -2 * levels(form)
    got = quantize_rows(x, form=form)
    np.testing.assert_array_equal(got.values(), x)
    sums = got.sum.reshape(2, 2, -1)
    assert sums[0, 1, 0] == -levels(form)
    assert np.count_nonzero(sums) == 1


@FORMS
@pytest.mark.parametrize("size", [3e38, 1e30, 1e-30, 1e-32, 1e-34, 1e-36, 1e-38, 1.5e-45])
def test_huge_and_tiny_values_stay_within_a_step(rng, size, form):
    x = (rng.uniform(-1, 1, (3, 512)) * size).astype(np.float32)
    x[:, ::32], x[:, 1::32] = size, 0
    got = quantize_rows(x, form=form)
    assert np.all(np.isfinite(got.scale))
    assert np.all(np.abs(got.q) <= levels(form))
    assert np.all(np.abs(got.sum) <= levels(form) * 32)
    bound = max(size / levels(form) * 0.51, 2e-33)  # below, it may as well be zero
    assert np.all(np.abs(got.values() - x) <= bound)


@FORMS
def test_a_token_is_the_same_alone_and_in_a_batch(rng, form):
    x = rng.normal(size=(9, 768)).astype(np.float32)
    whole = quantize_rows(x, 2, form)
    for t in range(9):
        alone = quantize_rows(x[t : t + 1], 3, form)
        assert_same_integers(alone, whole.only(slice(t, t + 1)))


@pytest.mark.parametrize("form", [WIDE, BLOCKS], ids=["16", "blocks"])
def test_every_16_bit_number_is_kept_and_if_split_both_bytes_are_signed(form):
    """A block holds numbers beside the largest, which makes the scale 1."""
    numbers, n = np.arange(-levels(form), levels(form) + 1), shared(form) - 1
    numbers = np.pad(numbers, (0, -len(numbers) % n)).reshape(-1, n)
    x = np.insert(numbers, 0, levels(form), axis=1).astype(np.float32)
    got = quantize_rows(x, form=form)
    np.testing.assert_array_equal(got.q, x)
    if form == BLOCKS:
        assert np.all(np.abs(got.by_block[:, :, :, 0].astype(int)) <= 127)
    elif not in_words(True):
        assert np.all(np.abs(got.rows.array[: len(x), :32].astype(int)) <= 127)


@FORMS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 17, 31])
def test_what_is_no_number_stays_none(rng, bad, column, form):
    """One such value makes its block's scale NaN, and with it what is computed from the block."""
    n = shared(form)
    x = rng.normal(size=(2, 2 * n)).astype(np.float32)
    x[1, column] = bad
    none = np.isnan(quantize_rows(x, form=form).scale).reshape(2, 2, -1)
    assert none.all(axis=-1).tolist() == none.any(axis=-1).tolist() == [[False] * 2, [True, False]]
