"""The cache of keys and values, and attention over it."""

import naive
import numpy as np
import pytest
from attention_cache import Cache
from calls import assert_same_integers, quantize_rows


def filled(rng, n_kv_heads, k_dim, v_dim, n_keys, n_context=256):
    """Return a cache of random keys and values, and these as float16 numbers."""
    cache = Cache(n_kv_heads, k_dim, v_dim, n_context)
    k = (2 * rng.normal(size=(n_keys, n_kv_heads, k_dim))).astype(np.float32)
    v = rng.normal(size=(n_keys, n_kv_heads, v_dim)).astype(np.float32)
    cache.store(k, v, 0)
    return cache, k.astype(np.float16), v.astype(np.float16)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("n_kv_heads", "k_dim", "v_dim"), [(3, 64, 64), (1, 20, 20), (2, 7, 33), (4, 128, 80)]
)
def test_keys_and_values_are_kept_as_float16(rng, n_kv_heads, k_dim, v_dim, n_threads):
    cache = Cache(n_kv_heads, k_dim, v_dim, 150)
    k = rng.normal(size=(150, n_kv_heads, k_dim)).astype(np.float32)
    v = rng.normal(size=(150, n_kv_heads, v_dim)).astype(np.float32)
    start = 0
    for n in (1, 2, 14, 1, 60, 72):
        cache.store(k[start : start + n], v[start : start + n], start, n_threads)
        start += n
    np.testing.assert_array_equal(cache.keys()[:150], k.astype(np.float16))
    np.testing.assert_array_equal(cache.values()[:150], v.astype(np.float16))
    assert not cache.keys()[150:].any()
    assert not cache.values()[150:].any()


@pytest.mark.parametrize("head_dim", [20, 32, 64, 80, 96, 128])
@pytest.mark.parametrize("group", [1, 3, 4, 7])
def test_attention_is_exact_up_to_rounding(rng, head_dim, group):
    cache, k, v = filled(rng, 2, head_dim, head_dim, 140)
    scale = head_dim**-0.5
    for positions in ([0], [63], [64], [139], range(2), range(60, 70), range(100, 133), range(140)):
        q = rng.normal(size=(len(positions), 2 * group, head_dim)).astype(np.float32)
        got, _ = cache.attend(q, positions, scale, n_threads=1 + len(positions) % 3)
        np.testing.assert_allclose(got, naive.attention(q, k, v, positions, scale), atol=3e-6)


@pytest.mark.parametrize(("k_dim", "v_dim"), [(64, 32), (7, 33), (48, 128), (1, 1)])
def test_keys_and_values_may_differ_in_size(rng, k_dim, v_dim):
    cache, k, v = filled(rng, 3, k_dim, v_dim, 70)
    q = rng.normal(size=(5, 6, k_dim)).astype(np.float32)
    got, _ = cache.attend(q, range(64, 69), 0.5, 2)
    np.testing.assert_allclose(got, naive.attention(q, k, v, range(64, 69), 0.5), atol=3e-6)


@pytest.mark.parametrize(("n_kv_heads", "group"), [(1, 1), (3, 1), (1, 4), (3, 3), (2, 7), (8, 4)])
def test_a_token_is_the_same_in_any_batch_and_for_any_number_of_threads(rng, n_kv_heads, group):
    cache, _, _ = filled(rng, n_kv_heads, 32, 32, 135)
    q = rng.normal(size=(50, n_kv_heads * group, 32)).astype(np.float32)
    positions = range(85, 135)
    whole, _ = cache.attend(q, positions, 0.2)
    for n_threads in (2, 3, 7):
        np.testing.assert_array_equal(cache.attend(q, positions, 0.2, n_threads)[0], whole)
    for size in (1, 2, 7, 16, 33):
        for start in range(0, 50, size):
            part = slice(start, start + size)
            got, _ = cache.attend(q[part], positions[part], 0.2, 1 + size % 3)
            np.testing.assert_array_equal(got, whole[part])


def test_later_keys_have_no_part(rng):
    cache, k, v = filled(rng, 2, 32, 32, 100)
    q = rng.normal(size=(3, 4, 32)).astype(np.float32)
    before, _ = cache.attend(q, [10, 11, 12], 0.2)
    cache.store(100 * k[13:].astype(np.float32), 100 * v[13:].astype(np.float32), 13)
    np.testing.assert_array_equal(cache.attend(q, [10, 11, 12], 0.2)[0], before)


@pytest.mark.parametrize("size", [0, 30, 1000])
def test_scores_of_any_size(rng, size):
    """All alike, or one key taking everything: no overflow, no division by zero."""
    cache, k, v = filled(rng, 1, 32, 32, 130)
    q = size * rng.normal(size=(4, 2, 32)).astype(np.float32)
    positions = [5, 63, 64, 129]
    got, _ = cache.attend(q, positions, 1.0)
    np.testing.assert_allclose(
        got, naive.attention(q, k, v, positions, 1.0), atol=2e-5 if size else 3e-6
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("n_tokens", "n_threads"), [(1, 1), (1, 3), (40, 2)])
def test_the_integers_are_those_of_the_result(rng, n_tokens, n_threads, bits):
    cache, _, _ = filled(rng, 3, 64, 64, 60)
    q = rng.normal(size=(n_tokens, 9, 64)).astype(np.float32)
    got, integers = cache.attend(q, range(20, 20 + n_tokens), 0.125, n_threads, bits)
    assert_same_integers(integers, quantize_rows(got.reshape(n_tokens, -1), wide=bits == 16))
