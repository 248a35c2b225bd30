"""Tables of 16 bytes, steps of floats, and tables in memory."""

import numpy as np
from compiled import compiled, results

from ggjit.simd import lookup as module
from ggjit.simd.lookup import LOOKUPS, lookup, staircase, table
from ggjit.simd.ops import gather, load, store
from ggjit.simd.types import f32x16, i32x16, tile, u8x64

TABLE = (1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 255)
BYTES = tile(u8x64, 3)
best, comparing = lookup(TABLE), lookup(TABLE, "generic")


@compiled
def both_ways(codes: int, out: int, thread: int, n_threads: int) -> None:
    store(out, best(load(BYTES, codes)))
    store(out + 192, best(load(u8x64, codes)))
    store(out + 256, comparing(load(BYTES, codes)))


def test_every_code_in_every_place(rng):
    for shift in range(16):
        codes = ((np.arange(192) + shift) % 16).astype(np.uint8)
        got = results(both_ways, 448, np.uint8, codes=codes)
        wanted = np.array(TABLE, np.uint8)[codes]
        np.testing.assert_array_equal(got, np.concatenate([wanted, wanted[:64], wanted]))


def test_the_target_has_a_way():
    assert module.best() in LOOKUPS


BOUNDS = (-3.0, -0.25, 0.0, 2.5)
number_of, value_of = (
    staircase(BOUNDS, (0, 1, 2, 3, 4)),
    staircase(BOUNDS, (9.0, 8.5, 1.0, -4.0, 0.1)),
)


@compiled
def steps(x: int, out: int, thread: int, n_threads: int) -> None:
    store(out, number_of(load(f32x16, x)))
    store(out + 64, value_of(load(f32x16, x)))


def test_every_step_and_what_is_on_a_bound(rng):
    x = np.array([*BOUNDS, *np.nextafter(np.float32(BOUNDS), np.float32(-9)), *rng.normal(size=8)])
    got = results(steps, (2, 16), np.int32, x=x.astype(np.float32))
    number = np.searchsorted(BOUNDS, x.astype(np.float32), side="right")
    np.testing.assert_array_equal(got[0], number)
    wanted = np.array([9, 8.5, 1, -4, 0.1], np.float32)[number]
    np.testing.assert_array_equal(got[1].view(np.float32), wanted)


NUMBERS = np.arange(1000, dtype=np.int32) ** 2
numbers = table(NUMBERS)


@compiled
def picked(index: int, out: int, thread: int, n_threads: int) -> None:
    store(out, gather(i32x16, numbers(), load(i32x16, index)))


def test_lanes_pick_from_a_table(rng):
    index = rng.integers(0, 1000, 16, np.int32)
    np.testing.assert_array_equal(results(picked, 16, np.int32, index=index), NUMBERS[index])
