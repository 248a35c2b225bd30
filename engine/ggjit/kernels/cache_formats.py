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

from numba import float32, int8, int32, int64, uint8, uint16, uint32

from ..jit import device
from ..simd.ops import (
    absolute,
    bit_field,
    fma,
    join,
    load,
    max_all,
    maximum,
    mul,
    splat,
    store,
    store_f16,
    sub,
    sum_all,
    to_f32,
    to_i32,
    zeros,
)
from ..simd.types import Vec, bf16x16, f16x16, f32x16, i8x16, i32x16, tile, u8x16

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


# -- floats ----------------------------------------------------------------------------------------


@device
def store_bf16(to, x):  # type: ignore[no-untyped-def]
    """Write the float32 at `x` as bfloat16, rounded to the nearest, ties to even."""
    u = int64(load(uint32, x))
    rounded = (u + 0x7FFF + (u >> 16) % 2) >> 16
    store(to, uint16(rounded if u & 0x7FFFFFFF <= 0x7F800000 else 0x7FC0))


@device
def store_half(to, x):  # type: ignore[no-untyped-def]
    """Write the float32 at `x` as float16."""
    store_f16(to, load(float32, x))


def _floats(name: str, vec: Vec, store_one: Any) -> CacheFormat:
    two = tile(vec, 2)

    def keys(n: int) -> Any:
        row = tile(vec, n)

        @device
        def keys(p, half):  # type: ignore[no-untyped-def]
            return to_f32(load(row, p + 128 * half))

        return keys

    @device
    def values(p):  # type: ignore[no-untyped-def]
        return to_f32(load(two, p))

    @device
    def store_keys(row, keys, at, n):  # type: ignore[no-untyped-def]
        for d in range(n):
            store_one(keys + 128 * d + 2 * at, row + 4 * d)
        if n % 2:  # the last pair's second column, which meets zeros
            store(keys + 128 * n + 2 * at, uint16(0))

    @device
    def store_values(row, values, at, n):  # type: ignore[no-untyped-def]
        for d in range(n):
            block = values + d // BLOCK * 64 * CHUNK
            store_one(block + 64 * at + 2 * (d % BLOCK), row + 4 * d)

    return CacheFormat(name, 64, 32, False, keys, values, store_keys, store_values)


# -- integers: as GGML's blocks of these names, with their parts in other places -------------------

SCALES = 2 * CHUNK


@device
def store_q8(row, scale, to, step):  # type: ignore[no-untyped-def]
    """Write 32 columns as bytes `step` apart, and their scale."""
    a, b = load(f32x16, row), load(f32x16, row + 64)
    largest = max_all(maximum(absolute(a), absolute(b)))
    largest += sum_all(fma(a, zeros(f32x16), mul(b, zeros(f32x16))))  # NaN if any is
    store_f16(scale, largest / float32(127))
    inverse = float32(127) / largest if largest > 0 else float32(0)
    for j in range(BLOCK):
        x = load(float32, row + 4 * j) * inverse
        store(to + step * j, int8(x + float32(0.5) if x > 0 else x - float32(0.5)))


@device
def store_q4(row, scale, to, step, next_pair, second):  # type: ignore[no-untyped-def]
    """Write 32 columns as nibbles, and their scale: in byte i, `step` apart, are the columns
    next_pair * i and `second` behind it."""
    largest = float32(0)
    for j in range(BLOCK):
        x = load(float32, row + 4 * j)
        largest = x if abs(x) > abs(largest) or x != x else largest  # NaN stays
    store_f16(scale, largest / float32(-8))
    inverse = float32(-8) / largest if largest != 0 else float32(0)
    for i in range(BLOCK // 2):
        at = row + 4 * next_pair * i
        low, high = load(float32, at) * inverse, load(float32, at + 4 * second) * inverse
        low, high = min(low + float32(8.5), float32(15)), min(high + float32(8.5), float32(15))
        store(to + step * i, uint8(int32(low) + 16 * int32(high)))


def _q8_keys(n: int) -> Any:
    row = tile(i8x16, n)

    @device
    def keys(p, half):  # type: ignore[no-untyped-def]
        return to_f32(load(row, p + 64 * half))

    return keys


@device
def _q8_values(p):  # type: ignore[no-untyped-def]
    return to_f32(load(_two_i8, p))


@device
def _store_q8_keys(row, keys, at, n):  # type: ignore[no-untyped-def]
    for d in range(0, n, BLOCK):
        block = keys + d // BLOCK * (SCALES + 32 * CHUNK)
        store_q8(row + 4 * d, block + 2 * at, block + SCALES + at, CHUNK)


@device
def _store_q8_values(row, values, at, n):  # type: ignore[no-untyped-def]
    for d in range(0, n, BLOCK):
        block = values + d // BLOCK * (SCALES + 32 * CHUNK)
        store_q8(row + 4 * d, block + 2 * at, block + SCALES + 32 * at, 1)


def _q4_keys(n: int) -> Any:
    row = tile(u8x16, n)

    @device
    def keys(p, half):  # type: ignore[no-untyped-def]
        nibbles = bit_field(to_i32(load(row, p)), 4 * half, 4)
        return to_f32(sub(nibbles, splat(i32x16, int32(8))))

    return keys


@device
def _q4_values(p):  # type: ignore[no-untyped-def]
    both = to_i32(load(_one_u8, p))
    nibbles = join(bit_field(both, 0, 4), bit_field(both, 4, 4))
    return to_f32(sub(nibbles, splat(i32x16, int32(8))))


@device
def _store_q4_keys(row, keys, at, n):  # type: ignore[no-untyped-def]
    for d in range(0, n, BLOCK):
        block = keys + d // BLOCK * (SCALES + 16 * CHUNK)
        store_q4(row + 4 * d, block + 2 * at, block + SCALES + at, CHUNK, 2, 1)


@device
def _store_q4_values(row, values, at, n):  # type: ignore[no-untyped-def]
    for d in range(0, n, BLOCK):
        block = values + d // BLOCK * (SCALES + 16 * CHUNK)
        store_q4(row + 4 * d, block + 2 * at, block + SCALES + 16 * at, 1, 1, 16)


_two_i8, _one_u8 = tile(i8x16, 2), tile(u8x16, 1)

F16 = _floats("f16", f16x16, store_half)
BF16 = _floats("bf16", bf16x16, store_bf16)
Q8_0 = CacheFormat(
    "q8_0", 32, 16, True, _q8_keys, _q8_values, _store_q8_keys, _store_q8_values
)  # fmt: skip
Q4_0 = CacheFormat(
    "q4_0", 16, 16, True, _q4_keys, _q4_values, _store_q4_keys, _store_q4_values
)  # fmt: skip
FORMATS = {fmt.name: fmt for fmt in (F16, BF16, Q8_0, Q4_0)}


def cache_format(name: str) -> CacheFormat:
    """Return the format of a name. Raises: ValueError."""
    if name not in FORMATS:
        raise ValueError(f"cache type is {name!r}, expected one of {', '.join(FORMATS)}")
    return FORMATS[name]
