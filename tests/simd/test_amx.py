"""Tile registers, where the machine has them and the target uses them."""

import numpy as np
import pytest
from compiled import compiled, results

from ggjit.simd import target
from ggjit.simd.amx import (
    add_dots,
    add_unsigned_dots,
    clear_tile,
    configure,
    dot_tiles,
    load_tile,
    release,
    store_tile,
)

pytestmark = pytest.mark.skipif(not target.current().has_tiles, reason="no AMX target")


@compiled
def product(config: int, x: int, w: int, out: int, thread: int, n_threads: int) -> None:
    configure(config)
    load_tile(1, x, 80)
    load_tile(2, w, 64)
    store_tile(2, out + 1024, 64)
    dot_tiles(0, 1, 2)
    store_tile(0, out, 64)
    release()


def config(**rows_and_bytes):
    """The 64 bytes that `configure` takes (Intel's manual: LDTILECFG)."""
    made = np.zeros(64, np.uint8)
    made[0] = 1
    for i, (n_rows, n_bytes) in enumerate(rows_and_bytes.values()):
        made[16 + 2 * i], made[48 + i] = n_bytes, n_rows
    return made


@pytest.mark.parametrize("limits", [(-128, 128), (-128, -127), (127, 128)])
def test_signed_products_of_16_by_32_by_16(rng, limits):
    x = rng.integers(*limits, (16, 80), np.int8)
    w = rng.integers(*limits, (8, 16, 4), np.int8)
    shapes = config(out=(16, 64), x=(16, 32), w=(8, 64))
    got = results(product, 1024 + 512, np.uint8, config=shapes, x=x, w=w)
    columns = w.transpose(0, 2, 1).reshape(32, 16).astype(np.int32)
    np.testing.assert_array_equal(
        got[:1024].view(np.int32).reshape(16, 16), x[:, :32].astype(np.int32) @ columns
    )
    np.testing.assert_array_equal(got[1024:].view(np.int8), w.reshape(-1))


@compiled
def both_products(config: int, x: int, w: int, out: int, thread: int, n_threads: int) -> None:
    configure(config)
    load_tile(1, x, 64)
    load_tile(2, w, 64)
    clear_tile(0)
    add_dots(0, 1, 2)
    add_dots(0, 1, 2)
    store_tile(0, out, 64)
    clear_tile(0)
    add_dots(0, 1, 2)
    add_unsigned_dots(0, 1, 2)
    store_tile(0, out + 1024, 64)
    release()


@pytest.mark.parametrize("n_rows", [16, 3])
def test_products_are_added(rng, n_rows):
    x = rng.integers(-128, 128, (n_rows, 64), np.int8)
    w = rng.integers(0, 256, (16, 16, 4), np.uint8)
    shapes = config(out=(n_rows, 64), x=(n_rows, 64), w=(16, 64))
    got = results(both_products, (2, 16, 16), np.int32, config=shapes, x=x, w=w)[:, :n_rows]
    unsigned = w.transpose(0, 2, 1).reshape(64, 16)
    signed = x.astype(np.int32) @ unsigned.view(np.int8)
    np.testing.assert_array_equal(got[0], 2 * signed)
    np.testing.assert_array_equal(got[1], signed + x.astype(np.int32) @ unsigned.astype(np.int32))
