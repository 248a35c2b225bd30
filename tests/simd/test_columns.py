"""Rows side by side, and what is asked of their words."""

import numpy as np
import pytest
from compiled import compiled, results
from numba import int32

from ggjit.simd.ops import carries, flip, items_apart, load_columns, store
from ggjit.simd.types import u8x64, u16x32


@compiled
def side_by_side(x: int, out: int, thread: int, n_threads: int) -> None:
    words = load_columns(x + 3, 21)
    store(out, words)
    store(out + 256, items_apart(u16x32, words))
    store(out + 512, items_apart(u8x64, words))
    store(out + 768, flip(words, 0x80F00001))


def test_rows_side_by_side(rng):
    x = rng.integers(0, 256, 3 + 16 * 21, np.uint8)
    got = results(side_by_side, (4, 256), np.uint8, x=x)
    rows = np.stack([x[3 + 21 * r : 19 + 21 * r] for r in range(16)])
    for i, size in enumerate((4, 2, 1)):
        expected = rows.reshape(16, 16 // size, size).transpose(1, 0, 2)
        np.testing.assert_array_equal(got[i], expected.reshape(-1))
    np.testing.assert_array_equal(got[3].view(np.uint32), got[0].view(np.uint32) ^ 0x80F00001)


@compiled
def exponents(x: int, out: int, thread: int, n_threads: int) -> None:
    store(out, int32(carries(load_columns(x, 16), 0x7C007C00, 0x04000400)))
    store(out + 4, int32(carries(load_columns(x, 16), 0x7F800000, 0x00800000)))


@pytest.mark.parametrize("at", [0, 1, 62, 127])
@pytest.mark.parametrize("bits", [0x7C00, 0xFC00, 0x7E01, 0xFFFF])
def test_a_field_of_ones_is_found(rng, at, bits):
    x = rng.normal(size=128).astype(np.float16).view(np.uint16)
    assert results(exponents, (2,), np.int32, x=x)[0] == 0
    x[at] = bits
    assert results(exponents, (2,), np.int32, x=x)[0] != 0


def test_only_whole_fields_count(rng):
    x = rng.normal(size=64).astype(np.float32)
    x[5] = np.finfo(np.float32).max
    assert results(exponents, (2,), np.int32, x=x)[1] == 0
    x[63] = -np.inf
    assert results(exponents, (2,), np.int32, x=x)[1] != 0
