"""The integer matrix product on AMX tiles: 16 tokens by 16 rows, 32 columns a step.

Integer dots are exact and floats are summed in the order of `linear_int8`, so the results are
those of the other targets, bit for bit. The matrix is unpacked to signed bytes once per panel of
tokens; one token alone takes the way of `linear_int8`.
"""

from __future__ import annotations

from typing import Any

from numba import int8, int64

from ..formats import Format, IntLanes
from ..jit import Kernel, device, kernel
from ..simd.amx import configure, dot_tiles, load_tile, release, store_tile
from ..simd.ops import (
    add,
    fma,
    load,
    load_each,
    mul,
    shift_left,
    splat,
    splat_each,
    store,
    store_each,
    sub,
    to_f32,
    zeros,
)
from ..simd.types import f32x16, i32x16, tile, u8x64
from .threads import share_groups
from .tiles import META, tile_of

TOKENS = 16
FEW = 6  # tokens below which tiles do not pay
PANEL = 128
CONFIG, DOTS, QUANTS = 0, 64, 64 + 4 * 1024  # offsets in scratch


def scratch_bytes(n_columns: int) -> int:
    """Bytes each thread needs: the configuration, four tiles of dots, 16 rows of signed bytes."""
    return QUANTS + 16 * n_columns


def linear_amx(fmt: Format, wide: bool) -> Kernel:
    """Return the kernel of a format; `wide`: for 16-bit activations."""
    assert isinstance(fmt.lanes, IntLanes)
    one = tile_of(fmt.lanes, fmt.n_bytes, 1, wide)
    many = rows_by_tokens(fmt.lanes, fmt.n_bytes, wide)
    unpack = unpacker(fmt.lanes, fmt.n_bytes)
    group_bytes = 16 * fmt.n_bytes

    def linear(
        weights: int, x: int, meta: int, bias: int, residual: int, out: int, count: int,
        n_groups: int, n_columns: int, stride: int, scratch: int, scratch_step: int,
        thread: int, n_threads: int,
    ) -> None:
        n_blocks = n_columns // 32
        n_tokens = load(int64, count)
        first, last = share_groups(n_groups, thread, n_threads)
        own = scratch + thread * scratch_step
        if n_tokens < FEW:
            for g in range(first, last):
                w = weights + g * n_blocks * group_bytes
                for t in range(n_tokens):
                    one(w, x, meta, bias, residual, out, t, n_tokens, g, n_blocks, stride)
            return
        set_up(own + CONFIG)
        for panel in range(0, n_tokens, PANEL):
            end = min(panel + PANEL, n_tokens)
            for g in range(first, last):
                w = weights + g * n_blocks * group_bytes
                unpack(w, own + QUANTS, n_blocks)
                for t in range(panel, end, TOKENS):
                    n = min(TOKENS, end - t)
                    many(w, own, x, meta, bias, residual, out, t, n, n_tokens, g, n_blocks, stride)
        release()

    return kernel(linear, f"linear_{fmt.name}_a{16 if wide else 8}")


@device
def set_up(config):  # type: ignore[no-untyped-def]
    """Tiles 0 to 3: dots; 4, 5: 16 tokens by 32 bytes; 6, 7: 8 x 4 columns of 16 rows."""
    store(config, zeros(u8x64))
    store(config, int8(1))
    for i in range(8):
        n_bytes, n_rows = 64, 16
        if i == 4 or i == 5:
            n_bytes = 32
        if i >= 6:
            n_rows = 8
        store(config + 16 + 2 * i, int8(n_bytes))
        store(config + 48 + i, int8(n_rows))
    configure(config)


def unpacker(lanes: IntLanes, n_bytes: int) -> Any:
    """Return the device function that leaves 16 rows as signed bytes."""
    quants, group_bytes = lanes.quants, 16 * n_bytes
    centre = 0 if lanes.shift is None else 1 << lanes.shift

    @device
    def unpack(w, to, n_blocks):  # type: ignore[no-untyped-def]
        by = splat(u8x64, int8(centre))
        for i in range(n_blocks):
            store(to + 512 * i, sub(quants(w + i * group_bytes), by))

    return unpack


def dots_in(high: int, low: int, a: int, b: int, wide: bool) -> Any:
    """Return the device function for one block's dots, in tile registers of its own."""

    @device
    def issue(x, step, quants, dots):  # type: ignore[no-untyped-def]
        load_tile(b, quants, 64)
        load_tile(a, x, step)
        dot_tiles(high, a, b)
        store_tile(high, dots, 64)
        if wide:
            load_tile(a, x + 32, step)
            dot_tiles(low, a, b)
            store_tile(low, dots + 1024, 64)

    return issue


def rows_by_tokens(lanes: IntLanes, n_bytes: int, wide: bool) -> Any:
    """Return the device function for 16 rows by 16 tokens, of which n are stored."""
    floats, ints = tile(f32x16, TOKENS), tile(i32x16, TOKENS)
    scale, minimum = lanes.scale, lanes.minimum or lanes.scale
    has_minimum, group_bytes = lanes.minimum is not None, 16 * n_bytes
    block = 64 if wide else 32  # bytes of a token's block

    issue_even, issue_odd = dots_in(0, 1, 4, 6, wide), dots_in(2, 3, 5, 7, wide)

    @device
    def accumulate(acc, dots, w, scales, sums):  # type: ignore[no-untyped-def]
        by = mul(splat_each(floats, scales, 4), scale(w))
        whole = load(ints, dots)
        if wide:
            whole = add(shift_left(whole, 8), load(ints, dots + 1024))
        acc = fma(to_f32(whole), by, acc)
        if has_minimum:
            acc = fma(splat_each(floats, sums, 4), minimum(w), acc)
        return acc

    @device
    def many(w, own, x, meta, bias, residual, out, t, n, n_tokens, g, n_blocks, stride):  # type: ignore[no-untyped-def]
        step, meta_step = block * n_blocks, META * n_tokens
        x += t * step
        scales, sums = meta + 4 * t, meta + 4 * t + 4 * n_tokens
        quants, even, odd = own + QUANTS, own + DOTS, own + DOTS + 2048
        acc = zeros(floats)
        issue_even(x, step, quants, even)
        for i in range(0, n_blocks - 1, 2):  # the dots of a block are read while the next are made
            issue_odd(x + block * (i + 1), step, quants + 512 * (i + 1), odd)
            acc = accumulate(acc, even, w, scales, sums)
            if i + 2 < n_blocks:
                issue_even(x + block * (i + 2), step, quants + 512 * (i + 2), even)
            acc = accumulate(acc, odd, w + group_bytes, scales + meta_step, sums + meta_step)
            w += 2 * group_bytes
            scales += 2 * meta_step
            sums += 2 * meta_step
        if n_blocks % 2:
            acc = accumulate(acc, even, w, scales, sums)
        if bias != 0:
            acc = add(acc, load(f32x16, bias + 64 * g))
        at = t * stride + 64 * g
        if n == TOKENS:
            if residual != 0:
                acc = add(acc, load_each(floats, residual + at, stride))
            store_each(out + at, stride, acc)
        else:
            store_some(acc, own + DOTS, residual, out, at, stride, n)

    @device
    def store_some(acc, own, residual, out, at, stride, n):  # type: ignore[no-untyped-def]
        """Write the first n rows only."""
        store(own, acc)
        for i in range(n):
            row = load(f32x16, own + 64 * i)
            if residual != 0:
                row = add(row, load(f32x16, residual + at + i * stride))
            store(out + at + i * stride, row)

    return many
