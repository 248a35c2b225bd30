"""Rotary position embedding."""

import naive
import numpy as np
import pytest
from calls import rope_angles, rotate


def frequencies(n_pairs):
    return 10000.0 ** (-np.arange(n_pairs) / n_pairs)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_angles_are_exact_at_any_position(n_threads):
    positions = [0, 1, 63, 64, 4095, 131071, 1 << 30]
    got = rope_angles(frequencies(32), positions, n_threads=n_threads).array
    angles = np.outer(positions, frequencies(32))
    np.testing.assert_allclose(got[..., 0], np.cos(angles), rtol=0, atol=6.1e-8)
    np.testing.assert_allclose(got[..., 1], np.sin(angles), rtol=0, atol=6.1e-8)


def test_magnitude_scales_both():
    plain = rope_angles(frequencies(8), [5, 6]).array
    np.testing.assert_allclose(
        rope_angles(frequencies(8), [5, 6], 1.25).array, 1.25 * plain, rtol=1e-7
    )


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize(
    ("n_tokens", "n_heads", "head_dim", "n_pairs"),
    [(1, 9, 64, 32), (3, 3, 20, 10), (5, 1, 7, 3), (33, 2, 80, 16), (2, 5, 96, 48), (4, 3, 6, 1)],
)
def test_pairs_turn_and_the_rest_is_copied(
    rng, n_tokens, n_heads, head_dim, n_pairs, interleaved, n_threads
):
    x = rng.normal(size=(n_tokens, n_heads * head_dim)).astype(np.float32)
    positions = rng.integers(0, 5000, n_tokens)
    angles = rope_angles(frequencies(n_pairs), positions)
    expected = naive.rope(x, positions, frequencies(n_pairs), n_heads, interleaved)
    for in_place in (False, True):
        got = rotate(x, angles, n_heads, interleaved, n_threads, in_place)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    rest = got.reshape(n_tokens, n_heads, -1)[..., 2 * n_pairs :]
    np.testing.assert_array_equal(rest, x.reshape(n_tokens, n_heads, -1)[..., 2 * n_pairs :])
