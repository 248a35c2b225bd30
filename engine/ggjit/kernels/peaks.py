"""What a machine can do at most: loops that only read memory, or only multiply int8.

They measure what the matrix products are compared with; nothing else uses them.
"""

from __future__ import annotations

from functools import cache

from numba import int8

from ..jit import Kernel, device, kernel
from ..simd import target
from ..simd.amx import configure, dot_tiles, load_tile, release, store_tile
from ..simd.dot import dot_registers
from ..simd.ops import add, load, prefetch, splat, splat_each, store, zeros
from ..simd.types import i32x16, tile, u8x64
from .threads import share

READ = 512  # bytes of one step of `read_memory`
TILE_PRODUCTS = 4  # of one step of `multiply_tiles`

_EIGHT = tile(i32x16, 8)


@cache
def read_memory(n_streams: int) -> Kernel:
    """Return the kernel that sums memory as int32, each thread its part as a few runs side by side.

    It asks for lines `ahead` bytes before they are read. A multiple of READ * n_streams is read.
    """

    def read(memory: int, n_bytes: int, ahead: int, sums: int, thread: int, n_threads: int) -> None:
        first, last = share(n_bytes // (READ * n_streams), thread, n_threads)
        run = READ * (last - first)
        start = memory + READ * n_streams * first
        acc = zeros(_EIGHT)
        for at in range(start, start + run, READ):
            for i in range(n_streams):
                for line in range(0, READ, 64):
                    prefetch(at + i * run + ahead + line)
                acc = add(acc, load(_EIGHT, at + i * run))
        store(sums + READ * thread, acc)

    return kernel(read, f"read_memory_{n_streams}")


def n_sums() -> int:
    """Return how many sums `multiply` keeps: enough to hide the dot's latency, none spilled."""
    return target.current().n_tokens * 3 // 2 or 1


@cache
def multiply() -> Kernel:
    """Return the kernel that repeats the int8 dot on registers: one weight register, n_sums dots.

    The weights change at every step, or the compiler would multiply once.
    """
    ints = tile(i32x16, n_sums())

    def multiply_int8(
        x: int, sums: int, sums_step: int, n_steps: int, thread: int, n_threads: int
    ) -> None:
        acc, w, one = zeros(ints), load(u8x64, x), splat(u8x64, int8(1))
        xs = splat_each(ints, x, 4)
        for _ in range(n_steps):
            acc = dot_registers(acc, w, xs)
            w = add(w, one)
        store(sums + sums_step * thread, acc)

    return kernel(multiply_int8)


@kernel
def multiply_tiles(
    x: int, config: int, sums: int, sums_step: int, n_steps: int, thread: int, n_threads: int
) -> None:
    """Repeat the product of whole AMX tiles, 16 x 64 by 64 x 16 bytes."""
    set_up(config + 64 * thread)
    load_tile(4, x, 64)
    load_tile(5, x, 64)
    load_tile(6, x, 64)
    load_tile(7, x, 64)
    for _ in range(n_steps):
        dot_tiles(0, 4, 6)
        dot_tiles(1, 5, 6)
        dot_tiles(2, 4, 7)
        dot_tiles(3, 5, 7)
    store_tile(0, sums + sums_step * thread, 64)
    release()


@device
def set_up(config):  # type: ignore[no-untyped-def]
    """Give all eight tiles 16 rows of 64 bytes."""
    store(config, zeros(u8x64))
    store(config, int8(1))
    for i in range(8):
        store(config + 16 + 2 * i, int8(64))
        store(config + 48 + i, int8(16))
    configure(config)
