"""Products of small integers in words, by which blocks are summed."""

import numpy as np
import pytest
from compiled import compiled, results

from ggjit.simd import target
from ggjit.simd.ops import load, store
from ggjit.simd.types import i32x16, tile, u8x64
from ggjit.simd.words import add_words, both_places, bytes_times, dot_words

pytestmark = pytest.mark.skipif(target.current().dot != "vnni512", reason="no AVX-512 VNNI")

TWO, FIVE = tile(u8x64, 2), tile(i32x16, 5)
PLAIN, LESS = bytes_times(0), bytes_times(32)


@compiled
def multiplied(q: int, step: int, out: int, thread: int, n_threads: int) -> None:
    by = load(i32x16, step)
    store(out, PLAIN(load(TWO, q), by))
    store(out + 256, LESS(load(TWO, q), by))


def test_quants_times_scales(rng):
    q, step = rng.integers(0, 64, (2, 16, 4), np.uint8), rng.integers(-128, 128, 16, np.int32)
    step[:2] = -128, 127
    q[0, :2, :2] = [[0, 63], [63, 0]]
    got = results(multiplied, (2, 2, 2, 16, 4), np.uint8, q=q, step=step)
    for less, (low, high) in zip((0, 32), got, strict=True):
        expected = (q.astype(int) - less) * step[:, None]
        np.testing.assert_array_equal(256 * high.view(np.int8).astype(int) + low, expected)


@compiled
def words(values: int, x: int, acc: int, out: int, thread: int, n_threads: int) -> None:
    each = load(FIVE, values)
    store(out, add_words(load(i32x16, acc), both_places(load(i32x16, values)), x))
    store(out + 64, dot_words(both_places(each), x))


def test_dots_of_words(rng):
    """A number meets the sums of low and of high bytes: v * (low + 256 * high)."""
    values = rng.integers(-128, 128, (5, 16), np.int32)
    values[0, :2] = -128, 127
    x, acc = rng.integers(-4096, 4097, (5, 2), np.int16), rng.integers(-1000, 1000, 16, np.int32)
    got = results(words, (2, 16), np.int32, values=values, x=x, acc=acc)
    sums = x[:, 0].astype(int) + 256 * x[:, 1].astype(int)
    np.testing.assert_array_equal(got[0], acc + values[0] * sums[0])
    np.testing.assert_array_equal(got[1], sums @ values)
