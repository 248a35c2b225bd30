"""Linear attention with decay: a matrix a head that tokens read and change, one after the other.

A state is kept in slices of 32 columns, [D, 32] each, small enough for the nearest cache; columns
do not need each other, so that threads divide heads and slices.
"""

from __future__ import annotations

from functools import cache

from numba import float32, int64

from ..jit import Kernel, device, kernel
from ..simd.ops import fma, load, mul, splat, store, sub, zeros
from ..simd.types import f32x16
from .exponential import exp
from .threads import share

SLICE = 32  # columns
ROW = 4 * SLICE  # bytes
VALUES, RESULTS, DECAYS = 0, ROW, 2 * ROW  # offsets in a thread's scratch


def scratch_bytes(k_dim: int) -> int:
    """Bytes of scratch each thread needs."""
    return DECAYS + 4 * (k_dim + 16)


@cache
def recurrence(delta: bool, wide: bool) -> Kernel:
    """Return the kernel; `wide`: decay is a number for each of a head's key columns."""

    def recurrence(
        q: int, k: int, v: int, decay: int, beta: int, skip: int, out: int, q_stride: int,
        k_stride: int, v_stride: int, decay_stride: int, beta_stride: int, stride: int,
        n_heads: int, n_kv_heads: int, tiled: int, k_dim: int, v_dim: int, state_offset: int,
        table_offset: int, scratch: int, scratch_step: int, batch_tables: int, batch_starts: int,
        part_count: int, count: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        own, n_slices = scratch + thread * scratch_step, (v_dim + SLICE - 1) // SLICE
        first, last = share(n_heads * n_slices, thread, n_threads)
        starts, tables = load(int64, batch_starts), load(int64, batch_tables)
        for p in range(load(int64, part_count)):
            start, end = load(int64, starts + 8 * p), load(int64, starts + 8 * p + 8)
            states = load(int64, load(int64, tables + 8 * start) + table_offset) + state_offset
            for item in range(first, last):
                h, column = item // n_slices, SLICE * (item % n_slices)
                at = h % n_kv_heads if tiled != 0 else h // (n_heads // n_kv_heads)
                n, state = min(int64(SLICE), v_dim - column), states + item * k_dim * ROW
                for t in range(start, end):
                    keys = k + t * k_stride + 4 * at * k_dim
                    queries = q + t * q_stride + 4 * at * k_dim
                    values = v + t * v_stride + 4 * (h * v_dim + column)
                    copy(values, own + VALUES, n, int64(SLICE))
                    by = load(float32, beta + t * beta_stride + 4 * h)
                    decays = decay_of(decay + t * decay_stride, h, k_dim, own + DECAYS)
                    a, b = change(own + VALUES, state, keys, k_dim, decays, by)
                    read(state, keys, queries, k_dim, decays, a, b, own + RESULTS)
                    if skip != 0:
                        add_scaled(own + VALUES, load(float32, skip + 4 * h), own + RESULTS)
                    copy(own + RESULTS, out + t * stride + 4 * (h * v_dim + column), n, n)

    @device
    def decay_of(decay, h, k_dim, to):  # type: ignore[no-untyped-def]
        """Write what is kept of the state, for the head or each of its rows; return where."""
        if wide:
            for i in range(0, k_dim, 16):
                copy(decay + 4 * (h * k_dim + i), to + 4 * i, min(int64(16), k_dim - i), int64(16))
                store(to + 4 * i, exp(load(f32x16, to + 4 * i)))
        else:
            store(to, exp(splat(f32x16, load(float32, decay + 4 * h))))
        return to

    @device
    def kept(decays, i):  # type: ignore[no-untyped-def]
        return splat(f32x16, load(float32, decays + (4 * i if wide else 0)))

    @device
    def change(values, state, keys, k_dim, decays, by):  # type: ignore[no-untyped-def]
        """Return what is written under the key: the values, or what they are more than is there."""
        a, b = load(f32x16, values), load(f32x16, values + 64)
        if delta:
            c, d = zeros(f32x16), zeros(f32x16)
            for i in range(k_dim):
                key = mul(splat(f32x16, load(float32, keys + 4 * i)), kept(decays, i))
                c = fma(key, load(f32x16, state + i * ROW), c)
                d = fma(key, load(f32x16, state + i * ROW + 64), d)
            a, b = sub(a, c), sub(b, d)
        return mul(a, splat(f32x16, by)), mul(b, splat(f32x16, by))

    @device
    def read(state, keys, queries, k_dim, decays, a, b, to):  # type: ignore[no-untyped-def]
        """Let the state decay, write (a, b) under the key, and write what the query finds."""
        c, d = zeros(f32x16), zeros(f32x16)
        for i in range(k_dim):
            key, by = splat(f32x16, load(float32, keys + 4 * i)), kept(decays, i)
            query, row = splat(f32x16, load(float32, queries + 4 * i)), state + i * ROW
            low = fma(key, a, mul(load(f32x16, row), by))
            high = fma(key, b, mul(load(f32x16, row + 64), by))
            store(row, low)
            store(row + 64, high)
            c, d = fma(query, low, c), fma(query, high, d)
        store(to, c)
        store(to + 64, d)

    return kernel(recurrence, f"recurrence{'_delta' if delta else ''}{'_wide' if wide else ''}")


@device
def copy(source, to, n, n_all):  # type: ignore[no-untyped-def]
    """Copy n floats, and zeros up to n_all."""
    for i in range(n):
        store(to + 4 * i, load(float32, source + 4 * i))
    for i in range(n, n_all):
        store(to + 4 * i, float32(0))


@device
def add_scaled(values, by, to):  # type: ignore[no-untyped-def]
    """Add a slice of values, scaled, to results."""
    for i in range(0, ROW, 64):
        store(to + i, fma(load(f32x16, values + i), splat(f32x16, by), load(f32x16, to + i)))
