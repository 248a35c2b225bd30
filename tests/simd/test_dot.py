"""The integer dot product: the same integers on every instruction set."""

import numpy as np
import pytest
from compiled import compiled, results

from ggjit.simd.dot import dot_of
from ggjit.simd.ops import load, store
from ggjit.simd.sums import DOTS
from ggjit.simd.target import TARGETS
from ggjit.simd.types import i32x16, tile, u8x64

TOKENS, WEIGHTS = tile(i32x16, 3), tile(u8x64, 2)
BITS = range(1, 9)


def dots_of(n_bits, n_registers):
    """Make a kernel: n products of so many registers with one token, each from `acc`."""
    one, weights, multiply = tile(i32x16, 1), tile(u8x64, n_registers), dot_of(n_bits)
    w_bytes, x_bytes = 64 * n_registers, 4 * n_registers

    def dots(w: int, x: int, acc: int, n: int, out: int, thread: int, n_threads: int) -> None:
        for i in range(n):
            product = multiply(load(one, acc), load(weights, w + w_bytes * i), x + x_bytes * i, 8)
            store(out + 64 * i, product)

    kernel = compiled(dots)
    kernel.name += f"_{n_registers}_of_{n_bits}_bits"
    return kernel


def naive_dot(acc, w, x):
    """Shapes: acc [16], w [..., registers, 16 rows, 4 columns], x [..., registers, 4]."""
    return acc + np.einsum("...jrc,...jc->...r", w.astype(np.int64), x.astype(np.int64))


def check_dots(w, x, acc, n_bits):
    """Compare n products with plain ones."""
    kernel = dots_of(n_bits, w.shape[1])
    got = results(kernel, (len(w), 16), np.int32, w=w, x=x, acc=acc, n=len(w))
    np.testing.assert_array_equal(got, naive_dot(acc, w, x))


@pytest.mark.parametrize("n_bits", BITS)
def test_every_pair_of_bytes(rng, n_bits):
    """All weights by all activations, four alike: where saturation would show."""
    x, w = np.indices((256, max(16, 2**n_bits))).reshape(2, -1)
    w = np.repeat((w % 2**n_bits).astype(np.uint8), 4).reshape(-1, 2, 16, 4)
    x = np.repeat((x - 128).astype(np.int8), 4).reshape(-1, 2, 16, 4)[:, :, 0]
    check_dots(w, x, rng.integers(-(10**6), 10**6, 16, np.int32), n_bits)


@pytest.mark.parametrize("n_bits", BITS)
@pytest.mark.parametrize("n_registers", [1, 3, 8, 19])
def test_bytes_of_any_size(rng, n_bits, n_registers):
    """Random bytes, and the largest and least of all: where a sum of too many would overflow."""
    most = 2**n_bits - 1
    w = rng.integers(0, most + 1, (200, n_registers, 16, 4), np.uint8)
    x = rng.integers(-128, 128, (200, n_registers, 4), np.int8)
    w[::2][rng.random(w[::2].shape) < 0.9] = most
    x[rng.random(x.shape) < 0.3] = -128
    w[:2], x[0], x[1] = most, -128, 127
    check_dots(w, x, rng.integers(-100, 100, 16, np.int32), n_bits)


dot = dot_of(8)


@compiled
def dot_of_three(w: int, x: int, acc: int, out: int, thread: int, n_threads: int) -> None:
    store(out, dot(load(TOKENS, acc), load(WEIGHTS, w), x, 10))


def test_tokens_side_by_side(rng):
    w = rng.integers(0, 256, (2, 16, 4), np.uint8)
    x = rng.integers(-128, 128, (3, 10), np.int8)
    acc = rng.integers(-100, 100, (3, 16), np.int32)
    got = results(dot_of_three, (3, 16), np.int32, w=w, x=x, acc=acc)
    np.testing.assert_array_equal(got, naive_dot(acc, w, x[:, :8].reshape(3, 2, 4)))


def test_every_target_has_a_dot():
    assert DOTS.keys() == {target.dot for target in TARGETS}
