"""A tile of queries that attend together: scores of a chunk of keys, softmax, weighted values."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int32, int64

from ..jit import device
from ..simd.ops import (
    add,
    fma,
    load,
    load_each,
    max_all,
    maximum,
    mul,
    splat,
    splat_each,
    store,
    store_each,
    sub,
    to_f32,
    zeros,
)
from ..simd.types import f16x16, f32x16, tile
from .exponential import exp

CHUNK = 64  # keys per softmax step
QUERIES = 8  # queries that share loaded keys, at most
LOWEST = float32(-3.0e38)
# Offsets in a tile's state: per query its largest score so far, the factor that a larger one put
# on what was summed before, 16 partial sums of weights, and those of the last chunk.
MAXIMA, FACTORS, SUMS, ADDED, STATE = 0, 64, 128, 128 + 64 * QUERIES, 128 + 128 * QUERIES


@device
def weigh(scores, state, r, n_valid):  # type: ignore[no-untyped-def]
    """Turn one query's scores into weights; note its maximum's change and the weights' sum."""
    for j in range(max(n_valid, 0), CHUNK):
        store(scores + 4 * j, LOWEST)
    a, b = load(f32x16, scores), load(f32x16, scores + 64)
    c, d = load(f32x16, scores + 128), load(f32x16, scores + 192)
    old = load(float32, state + MAXIMA + 4 * r)
    new = max(old, max_all(maximum(maximum(a, b), maximum(c, d))))
    top = splat(f32x16, new)
    a, b, c, d = exp(sub(a, top)), exp(sub(b, top)), exp(sub(c, top)), exp(sub(d, top))
    store(scores, a)
    store(scores + 64, b)
    store(scores + 128, c)
    store(scores + 192, d)
    store(state + MAXIMA + 4 * r, new)
    store(state + FACTORS + 4 * r, old - new)
    store(state + ADDED + 64 * r, add(add(a, b), add(c, d)))


@cache
def attend(n: int) -> Any:
    """Return the device function for `n` queries side by side; results follow them in scratch."""
    floats = tile(f32x16, n)

    @device
    def scores_of(qs, keys, k_dim, scores):  # type: ignore[no-untyped-def]
        """Leave the products of n queries with 16 keys."""
        even, odd, step = zeros(floats), zeros(floats), 4 * k_dim
        for d in range(0, k_dim - 1, 2):
            at = qs + 4 * d
            even = fma(splat_each(floats, at, step), to_f32(load(f16x16, keys + 32 * d)), even)
            k = to_f32(load(f16x16, keys + 32 * d + 32))
            odd = fma(splat_each(floats, at + 4, step), k, odd)
        if k_dim % 2:
            last = k_dim - 1
            k = to_f32(load(f16x16, keys + 32 * last))
            even = fma(splat_each(floats, qs + 4 * last, step), k, even)
        store_each(scores, 4 * CHUNK, add(even, odd))

    @device
    def settle(state):  # type: ignore[no-untyped-def]
        """Make the factors by which earlier sums shrink, and update the sums."""
        store(state + FACTORS, exp(load(f32x16, state + FACTORS)))
        sums = load(floats, state + SUMS)
        factors = splat_each(floats, state + FACTORS, 4)
        store(state + SUMS, fma(sums, factors, load(floats, state + ADDED)))

    @device
    def gather(results, values, scores, state, width, n_keys):  # type: ignore[no-untyped-def]
        """Add the weighted values of one chunk."""
        for i in range(0, width, 16):
            acc = load_each(floats, results + 4 * i, 4 * width)
            acc = mul(acc, splat_each(floats, state + FACTORS, 4))
            for j in range(n_keys):
                v = to_f32(load(f16x16, values + 2 * (j * width + i)))
                acc = fma(splat_each(floats, scores + 4 * j, 4 * CHUNK), v, acc)
            store_each(results + 4 * i, 4 * width, acc)

    @device
    def run(qs, keys, values, chunk_bytes, longest, k_dim, width, first, n_real, group, positions):  # type: ignore[no-untyped-def]
        results = qs + 4 * n * k_dim
        scores = results + 4 * n * width
        state = scores + 4 * n * CHUNK
        for i in range(0, n * width, 16):
            store(results + 4 * i, zeros(f32x16))
        store(state + MAXIMA, splat(f32x16, LOWEST))
        store(state + FACTORS, zeros(f32x16))
        store(state + SUMS, zeros(floats))
        for start in range(0, longest, CHUNK):
            n_keys = min(CHUNK, longest - start)
            for j in range(0, n_keys, 16):
                scores_of(qs, keys + 2 * j * k_dim, k_dim, scores + 4 * j)
            for r in range(n):
                t = (first + min(r, n_real - 1)) // group
                position = int64(load(int32, positions + 4 * t))
                weigh(scores + 4 * r * CHUNK, state, r, position + 1 - start)
            settle(state)
            gather(results, values, scores, state, width, n_keys)
            keys += chunk_bytes
            values += chunk_bytes

    return run
