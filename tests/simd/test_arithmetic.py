"""Operations on float vectors: exactly IEEE's, NaN and zeros included."""

import numpy as np
import pytest
from compiled import compiled, results
from numba import float32, int32

from ggjit.simd.ops import (
    absolute,
    add,
    bits,
    div,
    fma,
    load,
    maximum,
    minimum,
    mul,
    shift_left,
    splat,
    store,
    sub,
    where_less,
)
from ggjit.simd.types import f32x16, i32x16, tile

THREE = tile(f32x16, 3)
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, 3.4e38, -3.4e38, 1e-38, 0.1], np.float32
)


@compiled
def float_ops(x: int, y: int, z: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(n):
        a, b, c = load(f32x16, x + 64 * i), load(f32x16, y + 64 * i), load(f32x16, z + 64 * i)
        to = out + 64 * 9 * i
        store(to, add(a, b))
        store(to + 64, sub(a, b))
        store(to + 128, mul(a, b))
        store(to + 192, div(a, b))
        store(to + 256, fma(a, b, c))
        store(to + 320, maximum(a, b))
        store(to + 384, minimum(a, b))
        store(to + 448, absolute(a))
        store(to + 512, where_less(a, b, c, splat(f32x16, float32(7))))


def expected(x, y, z):
    """Numpy's answers, [9, ...]."""
    wide = x.astype(np.float64) * y + z  # the product is exact, so only the sum is rounded twice
    return np.stack(
        [
            x + y, x - y, x * y, x / y, wide.astype(np.float32), np.where(x > y, x, y),
            np.where(x < y, x, y), np.abs(x), np.where(x < y, z, np.float32(7)),
        ]
    )  # fmt: skip


@pytest.fixture
def xyz(rng):
    """Three arrays [40, 16] of numbers of all sizes and special ones."""
    x = rng.normal(size=(3, 40, 16)) * 10.0 ** rng.integers(-20, 20, (3, 40, 16))
    x = x.astype(np.float32)
    x[:, 20:] = rng.choice(SPECIAL, (3, 20, 16))
    return x


@np.errstate(all="ignore")
def test_float_operations(xyz):
    got = results(float_ops, (40, 9, 16), np.float32, x=xyz[0], y=xyz[1], z=xyz[2], n=40)
    np.testing.assert_array_equal(got.swapaxes(0, 1), expected(*xyz))
    signs = np.signbit(expected(*xyz)) != np.signbit(got.swapaxes(0, 1))
    assert not np.any(signs & ~np.isnan(expected(*xyz)))


@compiled
def rounded_once(x: int, y: int, z: int, out: int, thread: int, n_threads: int) -> None:
    store(out, fma(load(f32x16, x), load(f32x16, y), load(f32x16, z)))


def test_fma_is_rounded_once():
    """(1 + e)(1 - e) - 1 = -e**2, which two roundings would lose."""
    e = np.float32(2.0**-12)
    x, y, z = (np.full(16, v, np.float32) for v in (1 + e, 1 - e, -1))
    np.testing.assert_array_equal(results(rounded_once, 16, np.float32, x=x, y=y, z=z), -(e**2))


@compiled
def tile_beside_vector(x: int, y: int, z: int, out: int, thread: int, n_threads: int) -> None:
    a, b, c = load(THREE, x), load(f32x16, y), load(THREE, z)
    store(out, add(a, b))
    store(out + 192, sub(b, a))
    store(out + 384, mul(a, c))
    store(out + 576, fma(b, a, c))
    store(out + 768, fma(a, c, b))
    store(out + 960, maximum(b, a))


def test_a_vector_beside_a_tile_meets_every_register(rng):
    x, z = rng.integers(-1000, 1000, (2, 3, 16)).astype(np.float32)
    y = rng.integers(-1000, 1000, 16).astype(np.float32)
    got = results(tile_beside_vector, (6, 3, 16), np.float32, x=x, y=y, z=z)
    wanted = [x + y, y - x, x * z, y * x + z, x * z + y, np.maximum(x, y)]
    np.testing.assert_array_equal(got, wanted)


@compiled
def integer_ops(x: int, y: int, n: int, out: int, thread: int, n_threads: int) -> None:
    a, b = load(i32x16, x), load(i32x16, y)
    store(out, add(a, b))
    store(out + 64, sub(a, b))
    store(out + 128, mul(a, b))
    store(out + 192, shift_left(a, 7))
    store(out + 256, shift_left(a, n))
    store(out + 320, bits(i32x16, splat(f32x16, float32(-1.5))))
    store(out + 384, bits(f32x16, splat(i32x16, int32(0x3FC00000))))


def test_integer_operations_wrap_around(rng):
    x, y = rng.integers(-(2**31), 2**31, (2, 16), np.int32)
    got = results(integer_ops, (7, 16), np.int32, x=x, y=y, n=3)
    np.testing.assert_array_equal(got[:5], [x + y, x - y, x * y, x << 7, x << 3])
    assert np.all(got[5].view(np.float32) == -1.5)
    assert np.all(got[6].view(np.float32) == 1.5)
