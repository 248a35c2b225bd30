"""Python's signs for vectors, and vectors transposed."""

import numpy as np
from compiled import compiled, results

from ggjit.simd.ops import (
    load,
    load_each,
    root,
    round_to,
    store,
    store_each,
    to_f32,
    to_i32,
    transpose,
)
from ggjit.simd.types import f32x16, tile, u8x16

TWO, SQUARE, BYTES = tile(f32x16, 2), tile(f32x16, 16), tile(u8x16, 16)


@compiled
def signs(x: int, y: int, n: int, out: int, thread: int, n_threads: int) -> None:
    a, b = load(f32x16, x), load(f32x16, y)
    store(out, a + b)
    store(out + 64, a - b)
    store(out + 128, a * b)
    store(out + 192, a / b)
    store(out + 256, 1 / a)
    store(out + 320, a * 0.1 + n)
    store(out + 384, to_f32(to_i32(a) * 3 - to_i32(b) + n))
    both = load(TWO, x) * b
    store(out + 448, both)
    store(out + 576, root(a * a + 1))
    store(out + 640, round_to(f32x16, a))


def test_signs_are_operations(rng):
    x, y = (rng.normal(size=(2, 16)).astype(np.float32) * 100 for _ in range(2))
    got = results(signs, (11, 16), np.float32, x=x, y=y, n=5)
    a, b = x[0], y[0]
    whole = a.astype(np.int32) * 3 - b.astype(np.int32) + 5
    f = np.float32
    expected = [a + b, a - b, a * b, a / b, 1 / a, a * f(0.1) + f(5), whole, x[0] * b, x[1] * b]
    expected += [np.sqrt(a * a + f(1)), np.rint(a)]
    np.testing.assert_array_equal(got, np.stack(expected).astype(np.float32))


@compiled
def exchanged(x: int, codes: int, out: int, thread: int, n_threads: int) -> None:
    store_each(out, 64, transpose(load_each(SQUARE, x, 64)))
    bytes_ = transpose(load_each(BYTES, codes, 16))
    store_each(out + 1024, 16, bytes_)


def test_rows_become_columns(rng):
    x = rng.normal(size=(16, 16)).astype(np.float32)
    codes = rng.integers(0, 256, (16, 16), np.uint8)
    got = results(exchanged, 1280, np.uint8, x=x, codes=codes)
    np.testing.assert_array_equal(got[:1024].view(np.float32).reshape(16, 16), x.T)
    np.testing.assert_array_equal(got[1024:].reshape(16, 16), codes.T)
