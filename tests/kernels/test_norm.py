"""RMS norm."""

import naive
import numpy as np
import pytest
from calls import assert_same_integers, quantize_rows, rms_norm


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


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_integers_are_those_of_the_result(rng, n_threads, bits):
    x, weight = rng.normal(size=(5, 96)).astype(np.float32), rng.normal(size=96).astype(np.float32)
    got, integers = rms_norm(x, weight, 1e-5, n_threads, bits)
    assert_same_integers(integers, quantize_rows(got, wide=bits == 16))


def test_a_token_is_the_same_alone_and_in_a_batch(rng):
    x, weight = rng.normal(size=(9, 50)).astype(np.float32), rng.normal(size=50).astype(np.float32)
    whole, _ = rms_norm(x, weight, 1e-5, 2)
    for t in range(9):
        np.testing.assert_array_equal(rms_norm(x[t : t + 1], weight, 1e-5, 3)[0][0], whole[t])
