"""Bits of bytes and integers."""

import numpy as np
from compiled import compiled, results

from ggjit.simd.ops import (
    bit_field,
    high_nibbles,
    load,
    low_nibbles,
    put_above,
    spread_bits,
    store,
    to_f32,
    to_i32,
)
from ggjit.simd.types import i8x16, i32x16, tile, u8x16, u8x64, u16x16

BYTES = tile(u8x64, 2)


@compiled
def nibbles(x: int, out: int, thread: int, n_threads: int) -> None:
    store(out, low_nibbles(load(BYTES, x)))
    store(out + 128, high_nibbles(load(BYTES, x)))


def test_nibbles(rng):
    x = rng.integers(0, 256, 128, np.uint8)
    got = results(nibbles, 256, np.uint8, x=x)
    np.testing.assert_array_equal(got, np.concatenate([x & 15, x >> 4]))


@compiled
def fields_of_bytes(x: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for low in range(8):
        store(out + 128 * low, bit_field(load(BYTES, x), low, n))
    store(out + 1024, bit_field(load(BYTES, x), 3, 2))


def test_bits_of_bytes(rng):
    x = rng.integers(0, 256, 128, np.uint8)
    for n in (1, 2, 3, 4):
        got = results(fields_of_bytes, 1152, np.uint8, x=x, n=n).reshape(9, 128)
        for low in range(9 - n):
            np.testing.assert_array_equal(got[low], (x >> low) & ((1 << n) - 1))
        np.testing.assert_array_equal(got[8], (x >> 3) & 3)


@compiled
def fields_of_words(x: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for low in range(32):
        store(out + 64 * low, bit_field(load(i32x16, x), low, n))
    store(out + 2048, bit_field(load(i32x16, x), 26, 6))


def test_bits_of_words(rng):
    x = rng.integers(0, 1 << 32, 16, np.uint32)
    for n in (1, 4, 17):
        got = results(fields_of_words, (33, 16), np.uint32, x=x, n=n)
        for low in range(33 - n):
            np.testing.assert_array_equal(got[low], (x >> low) & ((1 << n) - 1))
        np.testing.assert_array_equal(got[32], x >> 26)


@compiled
def bits_above(x: int, y: int, n: int, out: int, thread: int, n_threads: int) -> None:
    store(out, put_above(load(BYTES, x), load(BYTES, y), 4))
    store(out + 128, put_above(load(u8x64, x), load(u8x64, y), n))
    store(out + 192, put_above(bit_field(load(i32x16, x), 0, 4), load(i32x16, y), 4))


def test_bits_are_put_above(rng):
    x, y = rng.integers(0, 16, (2, 128), np.uint8)
    got = results(bits_above, 256, np.uint8, x=x, y=y, n=4)
    np.testing.assert_array_equal(got[:192], np.concatenate([x | y << 4, (x | y << 4)[:64]]))
    words = x.view(np.uint32)[:16] & 15 | y.view(np.uint32)[:16] << 4
    np.testing.assert_array_equal(got[192:].view(np.uint32), words)


@compiled
def spread(x: int, out: int, thread: int, n_threads: int) -> None:
    store(out, spread_bits(load(i32x16, x)))


def test_bits_of_words_are_spread(rng):
    x = rng.integers(0, 1 << 32, 16, np.uint32)
    got = results(spread, (8, 16, 4), np.uint8, x=x)
    at = 4 * np.arange(8)[:, None, None] + np.arange(4)
    np.testing.assert_array_equal(got, 16 * ((x[:, None] >> at.astype(np.uint32)) & 1))


@compiled
def widening(x: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(16):
        store(out + 64 * i, to_i32(load(u8x16, x + 16 * i)))
        store(out + 64 * i + 1024, to_i32(load(i8x16, x + 16 * i)))
        store(out + 64 * i + 2048, to_f32(load(i8x16, x + 16 * i)))
    store(out + 3072, to_i32(load(u16x16, x + 1)))


def test_small_integers_are_widened():
    x = np.roll(np.arange(256), 7).astype(np.uint8)
    got = results(widening, 49 * 16, np.int32, x=x)
    np.testing.assert_array_equal(got[:256], x)
    np.testing.assert_array_equal(got[256:512], x.view(np.int8))
    np.testing.assert_array_equal(got[512:768].view(np.float32), x.view(np.int8))
    np.testing.assert_array_equal(got[768:], x[1:33].view(np.uint16))
