"""The cache of keys and values, and attention over it."""

import gguf
import naive
import numpy as np
import pytest
from attention_cache import Cache, attend
from calls import quantize_rows
from quantized import assert_same_integers

from ggjit.kernels.attention_tile import QUERIES
from ggjit.kernels.cache_formats import FORMATS, Q4_0, Q8_0
from ggjit.kernels.tiles import BYTES, WIDE
from ggjit.simd import target


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
    assert np.isnan(cache.keys()[150:]).all()
    assert np.isnan(cache.values()[150:]).all()


@pytest.mark.parametrize("head_dim", [20, 32, 64, 80, 96, 128])
@pytest.mark.parametrize("group", [1, 3, 4, 7])
def test_attention_is_exact_up_to_rounding(rng, head_dim, group):
    cache, k, v = filled(rng, 2, head_dim, head_dim, 140)
    scale = head_dim**-0.5
    for positions in ([0], [63], [64], [139], range(2), range(60, 70), range(100, 133), range(140)):
        q = rng.normal(size=(len(positions), 2 * group, head_dim)).astype(np.float32)
        got, _ = cache.attend(q, positions, scale, n_threads=1 + len(positions) % 3)
        np.testing.assert_allclose(got, naive.attention(q, k, v, positions, scale), atol=5e-6)


@pytest.mark.parametrize(("k_dim", "v_dim"), [(64, 32), (7, 33), (48, 128), (1, 1)])
def test_keys_and_values_may_differ_in_size(rng, k_dim, v_dim):
    cache, k, v = filled(rng, 3, k_dim, v_dim, 70)
    q = rng.normal(size=(5, 6, k_dim)).astype(np.float32)
    got, _ = cache.attend(q, range(64, 69), 0.5, 2)
    np.testing.assert_allclose(got, naive.attention(q, k, v, range(64, 69), 0.5), atol=5e-6)


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
        got, naive.attention(q, k, v, positions, 1.0), atol=2e-5 if size else 5e-6
    )


@pytest.mark.parametrize("form", [BYTES, WIDE])
@pytest.mark.parametrize(("n_tokens", "n_threads"), [(1, 1), (1, 3), (40, 2)])
def test_the_integers_are_those_of_the_result(rng, n_tokens, n_threads, form):
    cache, _, _ = filled(rng, 3, 64, 64, 60)
    q = rng.normal(size=(n_tokens, 9, 64)).astype(np.float32)
    got, integers = cache.attend(q, range(20, 20 + n_tokens), 0.125, n_threads, form)
    assert_same_integers(integers, quantize_rows(got.reshape(n_tokens, -1), form=form))


# -- several sequences ----------------------------------------------------------------------------


def test_a_sequence_is_the_same_whatever_is_beside_it(rng):
    caches = [filled(rng, 2, 32, 32, n, n)[0] for n in (100, 7, 64, 300, 1)]
    positions = [range(60, 100), [6], range(10, 25), range(298, 300), [0]]
    qs = [rng.normal(size=(len(p), 6, 32)).astype(np.float32) for p in positions]
    alone = [c.attend(q, p, 0.2)[0] for c, q, p in zip(caches, qs, positions, strict=True)]
    for order in ([0, 1, 2, 3, 4], [4, 3], [1, 4], [2, 0, 1]):
        parts = [(caches[i], positions[i]) for i in order]
        for n_threads in (1, 3):
            got, _ = attend(parts, np.concatenate([qs[i] for i in order]), 0.2, n_threads)
            np.testing.assert_array_equal(got, np.concatenate([alone[i] for i in order]))


# -- long contexts --------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, 1, 70, 1024, 1500, 5000])
def test_spans_of_long_contexts(rng, window):
    """Divided among threads or not, spans are put together in the same order."""
    cache, k, v = filled(rng, 2, 16, 32, 3400, 3400)
    positions = np.r_[1000:1040, 2040:2060, 3300:3400]
    q = 3 * rng.normal(size=(len(positions), 4, 16)).astype(np.float32)
    whole, _ = cache.attend(q, positions, 0.3, window=window)
    expected = naive.attention(q, k, v, positions, 0.3, window)
    np.testing.assert_allclose(whole, expected, atol=2e-5)
    for size in (1, 3, 64, 65):
        for start in range(0, len(positions), max(size, 13)):
            part = slice(start, start + size)
            got, _ = cache.attend(q[part], positions[part], 0.3, 1 + size % 3, window=window)
            np.testing.assert_array_equal(got, whole[part])


# -- windows, caps and sinks ----------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 2, 16, 63, 64, 65, 100, 1000])
@pytest.mark.parametrize("group", [1, 3])
def test_a_window_shows_the_last_keys(rng, window, group):
    cache, k, v = filled(rng, 2, 32, 40, 200)
    q = rng.normal(size=(200, 2 * group, 32)).astype(np.float32)
    whole, _ = cache.attend(q, range(200), 0.2, window=window)
    np.testing.assert_allclose(whole, naive.attention(q, k, v, range(200), 0.2, window), atol=5e-6)
    for start, size in ((0, 1), (64, 1), (100, 7), (130, 64), (199, 1)):
        part = slice(start, start + size)
        got, _ = cache.attend(q[part], range(200)[part], 0.2, 2, window=window)
        np.testing.assert_array_equal(got, whole[part])


@pytest.mark.parametrize("n", [1, 40])
def test_nothing_before_the_window_is_read(rng, n):
    cache, _, _ = filled(rng, 2, 32, 32, 200)
    q = rng.normal(size=(n, 4, 32)).astype(np.float32)
    positions = range(200 - n, 200)
    expected, _ = cache.attend(q, positions, 0.2, window=50)
    cache.table.array[2 : 2 + (200 - n + 1 - 50) // 64] = 0
    np.testing.assert_array_equal(cache.attend(q, positions, 0.2, window=50)[0], expected)


@pytest.mark.parametrize("cap", [0.1, 5, 50])
@pytest.mark.parametrize("size", [0.01, 1, 100])
def test_capped_scores(rng, cap, size):
    cache, k, v = filled(rng, 2, 32, 32, 130)
    q = size * rng.normal(size=(30, 4, 32)).astype(np.float32)
    got, _ = cache.attend(q, range(100, 130), 1.0, cap=cap)
    expected = naive.attention(q, k, v, range(100, 130), 1.0, cap=cap)
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("sink", [-100, 0, 3, 100])
@pytest.mark.parametrize("n", [1, 30])
def test_sinks_take_their_share(rng, sink, n):
    cache, k, v = filled(rng, 2, 32, 32, 1100, 1100)
    q = rng.normal(size=(n, 6, 32)).astype(np.float32)
    sinks = (sink + rng.normal(size=6)).astype(np.float32)
    positions = range(1100 - n, 1100)
    got, _ = cache.attend(q, positions, 0.2, 2, sinks=sinks)
    expected = naive.attention(q, k, v, positions, 0.2, sinks=sinks)
    np.testing.assert_allclose(got, expected, atol=5e-6)


@pytest.mark.parametrize("seed", range(12))
def test_anything_at_once(seed):
    """Ragged sizes, windows, caps and sinks, several sequences, any division of the work."""
    rng = np.random.default_rng(seed)
    n_kv, group = int(rng.integers(1, 4)), int(rng.choice([1, 2, 3, 5, 9]))
    k_dim, v_dim = (int(rng.choice([1, 8, 33, 64, 96])) for _ in range(2))
    window = int(rng.integers(1, 400)) if rng.random() < 0.6 else None
    cap = float(rng.choice([0, 3, 30]))
    sinks = rng.normal(size=n_kv * group).astype("f4") if rng.random() < 0.5 else None
    made, positions, qs, expected = [], [], [], []
    for _ in range(int(rng.integers(1, 4))):
        n_keys = int(rng.choice([1, 63, 64, 200, 1300]))
        cache, k, v = filled(rng, n_kv, k_dim, v_dim, n_keys, n_keys)
        n = min(n_keys, int(rng.choice([1, 2, 20])))
        made.append(cache)
        positions.append(range(n_keys - n, n_keys))
        qs.append(rng.normal(size=(n, n_kv * group, k_dim)).astype(np.float32))
        expected.append(naive.attention(qs[-1], k, v, positions[-1], 0.3, window, cap, sinks))
    options = {"window": window, "cap": cap, "sinks": sinks}
    parts = list(zip(made, positions, strict=True))
    got, _ = attend(parts, np.concatenate(qs), 0.3, int(rng.integers(1, 4)), **options)
    np.testing.assert_allclose(got, np.concatenate(expected), atol=2e-5)
    ends = np.cumsum([len(q) for q in qs])
    for (cache, places), q, end in zip(parts, qs, ends, strict=True):
        alone, _ = cache.attend(q[-1:], places[-1:], 0.3, **options)
        np.testing.assert_array_equal(alone[0], got[end - 1])


# -- other types of keys and values ---------------------------------------------------------------


def rounded(x, fmt):
    """What remains of [T, K, D] numbers in the cache, by GGML's own rules."""
    kind = gguf.GGMLQuantizationType[fmt.name.upper()]
    packed = gguf.quants.quantize(x.reshape(len(x), -1), kind)
    return gguf.quants.dequantize(packed, kind).reshape(x.shape)


@pytest.mark.parametrize("v_format", FORMATS.values(), ids=lambda f: f.name)
@pytest.mark.parametrize("k_format", FORMATS.values(), ids=lambda f: f.name)
def test_types_of_keys_and_values(rng, k_format, v_format):
    for k_dim, v_dim, group in ((64, 32, 3), (96, 160, 3)):
        cache = Cache(2, k_dim, v_dim, 200, k_format, v_format)
        k = (2 * rng.normal(size=(150, 2, k_dim))).astype(np.float32)
        v = rng.normal(size=(150, 2, v_dim)).astype(np.float32)
        for start in range(0, 150, 37):
            part = slice(start, start + 37)
            cache.store(k[part], v[part], start, 1 + start % 3)
        q = rng.normal(size=(90, 2 * group, k_dim)).astype(np.float32)
        got, _ = cache.attend(q, range(60, 150), 0.1, 2)
        k, v = rounded(k, k_format), rounded(v, v_format)
        expected = naive.attention(q, k, v, range(60, 150), 0.1)
        np.testing.assert_allclose(got, expected, atol=1e-5)
        for t in (0, 4, 89):
            alone, _ = cache.attend(q[t : t + 1], [60 + t], 0.1)
            np.testing.assert_array_equal(alone[0], got[t])


@pytest.mark.parametrize("fmt", [Q8_0, Q4_0], ids=lambda f: f.name)
def test_blocks_of_zeros_and_of_one_large_number(rng, fmt):
    cache = Cache(1, 32, 32, 64, fmt, fmt)
    k, v = np.zeros((2, 2, 1, 32), np.float32)
    v[1, 0, 7] = -3.5
    cache.store(k, v, 0)
    got, _ = cache.attend(np.ones((1, 1, 32), np.float32), [1], 1.0)
    np.testing.assert_allclose(got[0, 0], v.mean(axis=0)[0], atol=2e-3)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
@pytest.mark.parametrize("where", ["k", "v"])
def test_nan_is_not_lost(fmt, where):
    cache = Cache(1, 32, 32, 64, fmt, fmt)
    k, v = np.ones((2, 1, 1, 32), np.float32)
    (k if where == "k" else v)[0, 0, 3] = np.nan
    cache.store(k, v, 0)
    got, _ = cache.attend(np.ones((1, 1, 32), np.float32), [0], 1.0)
    assert np.isnan(got).any()


@pytest.mark.parametrize(
    ("k_dim", "v_dim", "group"), [(576, 512, 16), (256, 256, 2), (192, 128, 1)]
)
def test_large_heads(rng, k_dim, v_dim, group):
    cache, k, v = filled(rng, 1, k_dim, v_dim, 80)
    q = rng.normal(size=(12, group, k_dim)).astype(np.float32)
    got, _ = cache.attend(q, range(60, 72), k_dim**-0.5, 2)
    expected = naive.attention(q, k, v, range(60, 72), k_dim**-0.5)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_array_equal(cache.attend(q[3:4], [63], k_dim**-0.5)[0], got[3:4])


def test_no_more_queries_attend_together_than_there_is_room_for():
    for one in target.TARGETS:
        assert 1 <= min(one.queries) <= max(one.queries) <= QUERIES
