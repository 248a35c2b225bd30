"""Loads and stores, and sums over a vector."""

import numpy as np
from compiled import compiled, results
from numba import float32, float64, int32, int64, uint8, uint16

from ggjit.simd.ops import (
    join,
    load,
    load_each,
    max_all,
    prefetch,
    splat,
    splat_each,
    store,
    store_each,
    sum_all,
    zeros,
)
from ggjit.simd.types import f32x16, i32x16, tile

THREE, TWO = tile(f32x16, 3), tile(f32x16, 2)


@compiled
def strides(x: int, out: int, thread: int, n_threads: int) -> None:
    prefetch(x + 1_000_000_000)  # may point anywhere
    store(out, load_each(THREE, x + 4, 80))
    store(out + 192, splat_each(THREE, x + 4, 80))
    store_each(out + 384, 128, load(THREE, x))
    store(out + 768, join(load(TWO, x), load(TWO, x + 128)))
    store(out + 1024, splat(f32x16, load(float32, x + 8)))
    store(out + 1088, zeros(TWO))
    store(out + 1216, splat(f32x16, -0.5))
    store(out + 1280, splat(i32x16, -7))


def test_strides(rng):
    x = rng.normal(size=100).astype(np.float32)
    got = results(strides, (1344,), np.uint8, x=x).view(np.float32)
    rows = [x[1 + 20 * i : 17 + 20 * i] for i in range(3)]
    np.testing.assert_array_equal(got[:48].reshape(3, 16), rows)
    np.testing.assert_array_equal(
        got[48:96].reshape(3, 16), np.repeat(x[[1, 21, 41]], 16).reshape(3, 16)
    )
    spread = got[96:192].reshape(3, 32)
    np.testing.assert_array_equal(spread[:, :16], x[:48].reshape(3, 16))
    assert np.all(np.isnan(spread[:2, 16:]))
    np.testing.assert_array_equal(got[192:256], x[:64])
    assert np.all(got[256:272] == x[2])
    assert np.all(got[272:304] == 0)
    assert np.all(got[304:320] == -0.5)
    assert np.all(got[320:].view(np.int32) == -7)


@compiled
def unaligned(x: int, out: int, thread: int, n_threads: int) -> None:
    store(out, load(uint8, x + 1))
    store(out + 1, load(uint16, x + 1))
    store(out + 3, load(int32, x + 3))
    store(out + 7, load(int64, x + 7))
    store(out + 15, load(float64, x + 15))
    store(out + 23, load(f32x16, x + 23))


def test_nothing_needs_alignment(rng):
    x = rng.integers(0, 256, 96, np.uint8)
    got = results(unaligned, 87, np.uint8, x=x)
    wanted = [x[1], *x[1:3], *x[3:7], *x[7:15], *x[15:87]]
    np.testing.assert_array_equal(got, wanted)


@compiled
def reductions(x: int, y: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(n):
        store(out + 12 * i, sum_all(load(f32x16, x + 64 * i)))
        store(out + 12 * i + 4, max_all(load(f32x16, x + 64 * i)))
        store(out + 12 * i + 8, sum_all(load(i32x16, y + 64 * i)))


def test_sums_are_taken_by_halves(rng):
    x = (rng.normal(size=(50, 16)) * 10.0 ** rng.integers(-5, 5, (50, 16))).astype(np.float32)
    y = rng.integers(-(2**31), 2**31, (50, 16), np.int32)
    got = results(reductions, (50, 3), np.float32, x=x, y=y, n=50)
    halved = x
    for n in (8, 4, 2, 1):
        halved = halved[:, :n] + halved[:, n:]
    np.testing.assert_array_equal(got[:, 0], halved[:, 0])
    np.testing.assert_array_equal(got[:, 1], x.max(axis=1))
    np.testing.assert_array_equal(got[:, 2].view(np.int32), y.sum(axis=1, dtype=np.int32))
