"""RMS norm, of rows and of heads, and layer norm."""

import naive
import numpy as np
import pytest
from calls import head_norm, layer_norm, quantize_rows, rms_norm
from quantized import assert_same_integers

from ggjit.kernels.tiles import BLOCKS, BYTES, WIDE


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("n_tokens", "n_columns"), [(1, 1), (1, 576), (2, 16), (3, 17), (5, 45), (33, 100), (4, 2048)]
)
def test_rows_have_unit_mean_square_times_the_weight(rng, n_tokens, n_columns, n_threads):
    x = rng.normal(size=(n_tokens, n_columns)) * 10.0 ** rng.integers(-4, 4, (n_tokens, 1))
    x, weight = x.astype(np.float32), rng.normal(size=n_columns).astype(np.float32)
    got, _ = rms_norm(x, weight, 1e-5, n_threads)
    np.testing.assert_allclose(got, naive.rms_norm(x, weight, 1e-5), rtol=1e-6)


@pytest.mark.parametrize("eps", [1e-12, 1e-6, 0.1])
def test_eps_is_added_under_the_root(eps):
    x = np.full((2, 32), 1e-4, np.float32)
    x[1] = 0
    got, _ = rms_norm(x, np.ones(32, np.float32), eps)
    np.testing.assert_allclose(got, naive.rms_norm(x, np.ones(32), eps), rtol=1e-6)


@pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_integers_are_those_of_the_result(rng, n_threads, form):
    x = rng.normal(size=(5, 768)).astype(np.float32)
    weight = rng.normal(size=768).astype(np.float32)
    got, integers = rms_norm(x, weight, 1e-5, n_threads, form)
    assert_same_integers(integers, quantize_rows(got, form=form))


def test_a_token_is_the_same_alone_and_in_a_batch(rng):
    x, weight = rng.normal(size=(9, 50)).astype(np.float32), rng.normal(size=50).astype(np.float32)
    whole, _ = rms_norm(x, weight, 1e-5, 2)
    for t in range(9):
        np.testing.assert_array_equal(rms_norm(x[t : t + 1], weight, 1e-5, 3)[0][0], whole[t])


@pytest.mark.parametrize("form", [0, WIDE])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_residual_is_added(rng, n_threads, form):
    x, residual = rng.normal(size=(2, 5, 96)).astype(np.float32)
    weight = rng.normal(size=96).astype(np.float32)
    got, integers = rms_norm(x, weight, 1e-5, n_threads, form, residual)
    expected = naive.rms_norm(x, weight, 1e-5) + residual
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    if form:
        assert_same_integers(integers, quantize_rows(got, form=WIDE))


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    ("n_tokens", "n_heads", "head_dim"), [(1, 9, 64), (3, 3, 20), (5, 4, 7), (33, 2, 1), (2, 3, 16)]
)
def test_each_head_is_a_row(rng, n_tokens, n_heads, head_dim, n_threads):
    x = rng.normal(size=(n_tokens, n_heads, head_dim))
    x = (x * 10.0 ** rng.integers(-4, 4, (n_tokens, n_heads, 1))).astype(np.float32)
    weight = rng.normal(size=head_dim).astype(np.float32)
    expected = naive.rms_norm(x, weight, 1e-5).reshape(n_tokens, -1)
    for in_place in (False, True):
        got = head_norm(x.reshape(n_tokens, -1), weight, 1e-5, n_heads, n_threads, in_place)
        np.testing.assert_allclose(got, expected, rtol=2e-6)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(
    ("n_tokens", "n_columns"), [(1, 2), (1, 768), (2, 16), (3, 17), (5, 45), (33, 100)]
)
def test_rows_have_no_mean_and_unit_variance(rng, n_tokens, n_columns, with_bias, n_threads):
    x = (5 + rng.normal(size=(n_tokens, n_columns))).astype(np.float32)
    weight, bias = rng.normal(size=(2, n_columns)).astype(np.float32)
    got, _ = layer_norm(x, weight, bias if with_bias else None, 1e-5, n_threads)
    expected = naive.layer_norm(x, weight, bias if with_bias else 0, 1e-5)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", [BYTES, WIDE, BLOCKS])
def test_a_layer_norm_leaves_the_integers_of_its_result(rng, form):
    x, (weight, bias) = rng.normal(size=(5, 96)).astype("f4"), rng.normal(size=(2, 96)).astype("f4")
    got, integers = layer_norm(x, weight, bias, 1e-5, 2, form)
    assert_same_integers(integers, quantize_rows(got, form=form))
