"""How keys and values are kept, 64 positions (a chunk) of one head at a time.

Columns are taken in blocks of 32, one after the other. A block of keys is [16, 2, 64]: two columns
of all 64 keys side by side, so that a vector holds one column of 16 keys and no sum crosses it; a
block of values is [64, 32], a row per key. Formats with scales have 64 of them, float16, before
each block: one for the 32 columns of every key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import float32

from ..jit import device
from ..simd.ops import load, store_f16, to_f32
from ..simd.types import f16x16, tile

CHUNK = 64  # positions
BLOCK = 32  # columns


@dataclass(frozen=True, eq=False)
class CacheFormat:
    """One type of numbers in the cache.

    `keys(n)` makes the device function (address, half) -> n * 16 keys' first or second column of a
    pair; `values` is the device function address -> 32 columns of one key. Both without scales.
    `store_keys(row, keys, at, n)` and `store_values(row, values, at, n)` put n columns of a head of
    the position `at` in its chunk.
    """

    name: str
    row_bytes: int  # of 32 columns of one key
    run_bytes: int  # from 16 keys to the next 16 of the same column
    has_scales: bool
    keys: Callable[[int], Any]
    values: Any
    store_keys: Any
    store_values: Any

    @property
    def scale_bytes(self) -> int:
        """Bytes before a block."""
        return 2 * CHUNK if self.has_scales else 0

    @property
    def pair_bytes(self) -> int:
        """Bytes of two columns of all keys."""
        return 2 * CHUNK * self.row_bytes // BLOCK

    @property
    def block_bytes(self) -> int:
        """Bytes of 32 columns of a chunk."""
        return self.scale_bytes + CHUNK * self.row_bytes

    def key_bytes(self, dim: int) -> int:
        """Bytes of a head's keys in a chunk; columns come in pairs."""
        if self.has_scales:
            return dim // BLOCK * self.block_bytes
        return (dim + 1) // 2 * self.pair_bytes

    def value_bytes(self, dim: int) -> int:
        """Bytes of a head's values in a chunk."""
        return (dim + BLOCK - 1) // BLOCK * self.block_bytes


def _f16_keys(n: int) -> Any:
    halves = tile(f16x16, n)

    @device
    def keys(p, half):  # type: ignore[no-untyped-def]
        return to_f32(load(halves, p + 128 * half))

    return keys


_two_f16 = tile(f16x16, 2)


@device
def _f16_values(p):  # type: ignore[no-untyped-def]
    return to_f32(load(_two_f16, p))


@device
def _store_f16_keys(row, keys, at, n):  # type: ignore[no-untyped-def]
    for d in range(n):
        store_f16(keys + 128 * d + 2 * at, load(float32, row + 4 * d))
    if n % 2:  # the last pair's second column, which meets zeros
        store_f16(keys + 128 * n + 2 * at, float32(0))


@device
def _store_f16_values(row, values, at, n):  # type: ignore[no-untyped-def]
    for d in range(n):
        to = values + d // BLOCK * 64 * CHUNK + 64 * at + 2 * (d % BLOCK)
        store_f16(to, load(float32, row + 4 * d))


F16 = CacheFormat("f16", 64, 32, False, _f16_keys, _f16_values, _store_f16_keys, _store_f16_values)
FORMATS = {fmt.name: fmt for fmt in (F16,)}
