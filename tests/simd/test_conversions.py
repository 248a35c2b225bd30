"""Between number types: exact, or rounded to the nearest with ties to even."""

import numpy as np
from compiled import compiled, results
from numba import float32

from ggjit.simd.ops import (
    high_nibbles,
    load,
    low_nibbles,
    round_to,
    store,
    store_bytes,
    store_f16,
    to_f32,
)
from ggjit.simd.types import bf16x16, f16x16, f32x16, i32x16, tile, u8x64

BYTES = tile(u8x64, 2)
ALL_HALVES = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)


@compiled
def halves_to_floats(x: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(0, n, 32):
        store(out + 2 * i, to_f32(load(f16x16, x + i)))
        store(out + 2 * i + 4 * 65536, to_f32(load(bf16x16, x + i)))


def test_every_float16_and_bfloat16(rng):
    halves, brains = results(halves_to_floats, (2, 1 << 16), np.float32, x=ALL_HALVES, n=1 << 17)
    np.testing.assert_array_equal(halves, ALL_HALVES.view(np.float16).astype(np.float32))
    wide = (ALL_HALVES.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(brains.view(np.uint32), wide.view(np.uint32))


@compiled
def floats_to_halves(x: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(0, n, 16):
        store(out + 2 * i, round_to(f16x16, load(f32x16, x + 4 * i)))
        for j in range(i, i + 16):
            store_f16(out + 2 * n + 2 * j, load(float32, x + 4 * j))


def test_floats_are_rounded_to_the_nearest_float16(rng):
    normal = ALL_HALVES.view(np.float16)[: 0x7C00 - 1].astype(np.float32)
    middles = (normal[1:] + normal[:-1]) / 2
    beside = [np.nextafter(middles, np.float32(s * 1e9)) for s in (1, -1)]
    far = np.array([65504, 65519, 65520, 1e6, np.inf, 1e-8, 2.9e-8, 3e-8, 0], np.float32)
    x = np.concatenate([middles, *beside, far, -far, -middles[::7]])
    x = np.pad(x, (0, -len(x) % 16))
    with np.errstate(over="ignore"):
        wanted = x.astype(np.float16)
    got = results(floats_to_halves, (2, len(x)), np.float16, x=x, n=len(x))
    np.testing.assert_array_equal(got[0].view(np.uint16), wanted.view(np.uint16))
    most = np.where(np.isinf(wanted), np.copysign(np.float16(65504), wanted), wanted)
    np.testing.assert_array_equal(got[1].view(np.uint16), most.view(np.uint16))


@compiled
def integers_and_floats(x: int, y: int, out: int, thread: int, n_threads: int) -> None:
    store(out, round_to(i32x16, load(f32x16, x)))
    store(out + 64, to_f32(load(i32x16, y)))


def test_integers():
    x = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.4999, 0.5001, 126.5, -127.5, 1e9, -1e9, 0, -0.0, 3, 7.9]
    y = [
        0,
        1,
        -1,
        127,
        2**24,
        2**24 + 1,
        2**24 + 3,
        -(2**24) - 1,
        2**31 - 1,
        -(2**31),
        5,
        6,
        7,
        8,
        9,
        10,
    ]
    x, y = np.array(x, np.float32), np.array(y, np.int32)
    got = results(integers_and_floats, (2, 16), np.int32, x=x, y=y)
    np.testing.assert_array_equal(got[0], np.rint(x))
    np.testing.assert_array_equal(got[1].view(np.float32), y.astype(np.float32))


@compiled
def bytes_and_nibbles(x: int, y: int, out: int, thread: int, n_threads: int) -> None:
    pairs = load(BYTES, x)
    store(out, low_nibbles(pairs))
    store(out + 128, high_nibbles(pairs))
    store_bytes(out + 256, load(i32x16, y))


def test_bytes_and_nibbles(rng):
    x = rng.integers(0, 256, 128, np.uint8)
    x[:4] = 0, 0x0F, 0xF0, 0xFF
    y = rng.integers(-128, 128, 16, np.int32)
    got = results(bytes_and_nibbles, 272, np.uint8, x=x, y=y)
    np.testing.assert_array_equal(got[:128], x & 15)
    np.testing.assert_array_equal(got[128:256], x >> 4)
    np.testing.assert_array_equal(got[256:].view(np.int8), y)
