"""Tables of 16 bytes."""

import numpy as np
from compiled import compiled, results

from ggjit.simd import lookup as module
from ggjit.simd.lookup import LOOKUPS, lookup
from ggjit.simd.ops import load, store
from ggjit.simd.types import tile, u8x64

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
