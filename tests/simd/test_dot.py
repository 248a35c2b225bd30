"""The integer dot product: the same integers on every instruction set."""

import numpy as np
import pytest
from compiled import compiled, results

from ggjit.simd.dot import DOTS, dot
from ggjit.simd.ops import load, store
from ggjit.simd.target import TARGETS
from ggjit.simd.types import i32x16, tile, u8x64

ONE, TOKENS, WEIGHTS = tile(i32x16, 1), tile(i32x16, 3), tile(u8x64, 2)


@compiled
def dot_of_one(w: int, x: int, acc: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(n):
        product = dot(load(ONE, acc), load(WEIGHTS, w + 128 * i), x + 8 * i, 8)
        store(out + 64 * i, product)


@compiled
def dot_of_three(w: int, x: int, acc: int, out: int, thread: int, n_threads: int) -> None:
    store(out, dot(load(TOKENS, acc), load(WEIGHTS, w), x, 10))


def naive_dot(acc, w, x):
    """Shapes: acc [16], w [registers, 16 rows, 4 columns], x [registers * 4]."""
    return acc + np.einsum("jrc,jc->r", w.astype(np.int64), x.reshape(-1, 4).astype(np.int64))


def test_every_pair_of_bytes(rng):
    """All weights 0..255 by all activations -128..127, four alike: where saturation would show."""
    pairs = np.array([(w, x) for x in range(-128, 128) for w in range(0, 256, 1)])
    w = np.zeros((len(pairs) // 32, 2, 16, 4), np.uint8)
    x = np.zeros((len(w), 2, 4), np.int8)
    w[:] = np.repeat(pairs[:, 0], 4).reshape(w.shape)
    x[:] = pairs.reshape(len(w), 2, 16, 2)[:, :, 0, 1][..., None]
    acc = rng.integers(-(10**6), 10**6, 16, np.int32)
    got = results(dot_of_one, (len(w), 16), np.int32, w=w, x=x, acc=acc, n=len(w))
    wanted = [naive_dot(acc, w[i], x[i].reshape(-1)) for i in range(len(w))]
    np.testing.assert_array_equal(got, wanted)


def test_random_bytes(rng):
    w = rng.integers(0, 256, (500, 2, 16, 4), np.uint8)
    x = rng.integers(-128, 128, (500, 8), np.int8)
    x[rng.random(x.shape) < 0.3] = -128
    acc = np.zeros(16, np.int32)
    got = results(dot_of_one, (500, 16), np.int32, w=w, x=x, acc=acc, n=500)
    np.testing.assert_array_equal(got, [naive_dot(acc, w[i], x[i]) for i in range(500)])


def test_tokens_side_by_side(rng):
    w = rng.integers(0, 256, (2, 16, 4), np.uint8)
    x = rng.integers(-128, 128, (3, 10), np.int8)
    acc = rng.integers(-100, 100, (3, 16), np.int32)
    got = results(dot_of_three, (3, 16), np.int32, w=w, x=x, acc=acc)
    np.testing.assert_array_equal(got, [naive_dot(acc[t], w, x[t, :8]) for t in range(3)])


def test_every_target_has_a_dot():
    assert DOTS.keys() == {target.dot for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_dots_are_functions_of_the_same_operands(target):
    assert DOTS[target.dot].__code__.co_argcount == 4
