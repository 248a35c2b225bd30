"""A tile of queries that attend together to a span of chunks: an online softmax, chunk by chunk.

Each query's numbers are its own and come in one order, so that they do not depend on the tile.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int64

from ..jit import device
from ..simd import target
from ..simd.ops import (
    add,
    by_group,
    by_token,
    div,
    first_half,
    fma,
    join,
    load,
    load_each,
    load_grid,
    max_all,
    maximum,
    mul,
    prefetch,
    second_half,
    splat,
    splat_each,
    store,
    store_grid,
    sub,
    sum_all,
    to_f32,
    where_less,
    zeros,
)
from ..simd.types import f16x16, f32x16, grid, tile
from .cache_formats import BLOCK, CHUNK, CacheFormat
from .exponential import exp

QUERIES = 8  # queries that share loaded keys, at most
LOWEST = float32(-3.0e38)

# What a span leaves: per query its largest score, 16 partial sums of weights, and from RESULTS on
# the weighted values [query, width].
MAXIMA, SUMS, RESULTS = 0, 64, 64 + 64 * QUERIES

# A thread's work space: per query the factor that a larger maximum puts on what was summed before,
# 16 sums of the last chunk's weights, its position, the chunk's weights (and these times the
# scales of values), and from SPACE on the queries themselves [query, k_dim].
FACTORS, ADDED, POSITIONS = 0, 64, 64 + 64 * QUERIES
WEIGHTS = POSITIONS + 8 * QUERIES
SCALED = WEIGHTS + 4 * CHUNK * QUERIES
SPACE = SCALED + 4 * CHUNK * QUERIES
ROW = 4 * CHUNK  # bytes of a query's weights


@device
def capped(x, cap):  # type: ignore[no-untyped-def]
    """Return cap * tanh(x / cap)."""
    one, limit = splat(f32x16, float32(1)), splat(f32x16, cap)
    size = where_less(x, zeros(f32x16), sub(zeros(f32x16), x), x)
    e = exp(mul(size, splat(f32x16, float32(-2) / cap)))
    y = mul(limit, div(sub(one, e), add(one, e)))
    return where_less(x, zeros(f32x16), sub(zeros(f32x16), y), y)


@device
def cap_scores(scores, cap):  # type: ignore[no-untyped-def]
    """Soft-cap one query's scores of a chunk."""
    for j in range(0, ROW, 64):
        store(scores + j, capped(load(f32x16, scores + j), cap))


@device
def weigh(scores, span, work, r, low, high):  # type: ignore[no-untyped-def]
    """Turn one query's scores into weights; it sees keys from `low` to before `high`.

    Notes its maximum's change and the weights' sum.
    """
    old = load(float32, span + MAXIMA + 4 * r)
    if low >= high:  # none: nothing changes
        for j in range(0, ROW, 64):
            store(scores + j, zeros(f32x16))
        store(work + FACTORS + 4 * r, float32(0))
        store(work + ADDED + 64 * r, zeros(f32x16))
        return
    for j in range(low):
        store(scores + 4 * j, LOWEST)
    for j in range(high, CHUNK):
        store(scores + 4 * j, LOWEST)
    a, b = load(f32x16, scores), load(f32x16, scores + 64)
    c, d = load(f32x16, scores + 128), load(f32x16, scores + 192)
    new = max(old, max_all(maximum(maximum(a, b), maximum(c, d))))
    top = splat(f32x16, new)
    a, b, c, d = exp(sub(a, top)), exp(sub(b, top)), exp(sub(c, top)), exp(sub(d, top))
    store(scores, a)
    store(scores + 64, b)
    store(scores + 128, c)
    store(scores + 192, d)
    store(span + MAXIMA + 4 * r, new)
    store(work + FACTORS + 4 * r, old - new)
    store(work + ADDED + 64 * r, add(add(a, b), add(c, d)))


@cache
def scores_of(fmt: CacheFormat, n: int, ahead: bool) -> Any:
    """Return the device function that leaves the products of n queries with a chunk's keys.

    `ahead`: ask for the next chunk's meanwhile.
    """
    fitting = target.current().n_tokens
    runs = 4 if 2 * n <= fitting else 2 if n <= fitting else 1  # of 16 keys in registers
    products, queries, halves = grid(f32x16, runs, n), tile(f32x16, n), tile(f16x16, runs)
    keys, scaled, scale_bytes = fmt.keys(runs), fmt.has_scales, fmt.scale_bytes
    block_bytes, pair_bytes, run_bytes = fmt.block_bytes, fmt.pair_bytes, fmt.run_bytes
    line_step = 64 if runs == 4 else max(64, pair_bytes // 2)

    @device
    def scores_of(queries_at, keys_at, following, k_dim, n_keys, scores):  # type: ignore[no-untyped-def]
        row = 4 * (k_dim + k_dim % 2)
        to_next = following - keys_at
        for j in range(0, n_keys, 16 * runs):
            block, q, acc = keys_at, queries_at, zeros(products)
            for first in range(0, k_dim, BLOCK):
                if scaled:
                    scale = to_f32(load(halves, block + 2 * j))
                p = block + scale_bytes + run_bytes * (j // 16)
                for _ in range(0, min(BLOCK, k_dim - first), 2):
                    even, odd = keys(p, 0), keys(p, 1)
                    if scaled:
                        even, odd = mul(even, scale), mul(odd, scale)
                    by = by_token(products, splat_each(queries, q, row))
                    acc = fma(by, by_group(products, even), acc)
                    by = by_token(products, splat_each(queries, q + 4, row))
                    acc = fma(by, by_group(products, odd), acc)
                    if ahead:
                        for line in range(0, pair_bytes, line_step):
                            prefetch(p + to_next + line)
                    p += pair_bytes
                    q += 8
                block += block_bytes
            store_grid(scores + 4 * j, 64, ROW, acc)

    return scores_of


@cache
def scores_of_rows(fmt: CacheFormat, n: int, ahead: bool) -> Any:
    """Return the device function that does as `scores_of` where keys are kept in rows, as values.

    The space for scaled weights is free before there are weights. A last key that is alone has a
    neighbour of no matter.
    """
    products, queries, pair = grid(f32x16, 2, n), tile(f32x16, n), tile(f32x16, 2)
    values, scaled, scale_bytes = fmt.values, fmt.has_scales, fmt.scale_bytes
    row_bytes, block_bytes, half = fmt.row_bytes, fmt.block_bytes, tile(f16x16, 1)

    @device
    def scores_of_rows(queries_at, keys_at, following, k_dim, n_keys, scores):  # type: ignore[no-untyped-def]
        n_blocks, space = (k_dim + BLOCK - 1) // BLOCK, scores + SCALED - WEIGHTS
        row, to_next = 4 * BLOCK * n_blocks, following - keys_at
        for j in range(0, n_keys, 2):
            scales, q, acc = keys_at, queries_at, zeros(products)
            for _ in range(n_blocks):
                p = scales + scale_bytes + j * row_bytes
                a, b = values(p), values(p + row_bytes)
                if ahead:
                    prefetch(p + to_next)
                    prefetch(p + to_next + row_bytes)
                first = join(first_half(a), first_half(b))
                second = join(second_half(a), second_half(b))
                if scaled:
                    store(space, to_f32(load(half, scales + 2 * j)))
                    by = splat_each(pair, space, 4)
                    first, second = mul(first, by), mul(second, by)
                by_query = by_token(products, load_each(queries, q, row))
                acc = fma(by_query, by_group(products, first), acc)
                by_query = by_token(products, load_each(queries, q + 64, row))
                acc = fma(by_query, by_group(products, second), acc)
                q += 4 * BLOCK
                scales += block_bytes
            store(space, acc)
            for r in range(n):
                for i in range(2):
                    total = sum_all(load(f32x16, space + 64 * (i * n + r)))
                    store(scores + r * ROW + 4 * (j + i), total)

    return scores_of_rows


@cache
def gather(fmt: CacheFormat, n: int, ahead: bool) -> Any:
    """Return the device function that adds a chunk's weighted values to the results."""
    sums, queries = grid(f32x16, 2, n), tile(f32x16, n)
    values, scaled, scale_bytes = fmt.values, fmt.has_scales, fmt.scale_bytes
    row_bytes, block_bytes = fmt.row_bytes, fmt.block_bytes

    @device
    def scale_weights(work, scales):  # type: ignore[no-untyped-def]
        """Multiply weights by what the values of 32 columns are to be multiplied by."""
        for j in range(0, CHUNK, 16):
            scale = to_f32(load(f16x16, scales + 2 * j))
            for r in range(n):
                at = work + r * ROW + 4 * j
                store(at + SCALED, mul(load(f32x16, at + WEIGHTS), scale))

    @device
    def gather(span, p, following, work, width, n_keys):  # type: ignore[no-untyped-def]
        weights = work + (SCALED if scaled else WEIGHTS)
        factors = by_token(sums, splat_each(queries, work + FACTORS, 4))
        to_next = following - p
        for i in range(0, width, BLOCK):
            if scaled:
                scale_weights(work, p)
                if ahead:
                    prefetch(p + to_next)
                    prefetch(p + to_next + 64)
            result = span + RESULTS + 4 * i
            acc = mul(load_grid(sums, result, 64, 4 * width), factors)
            at = p + scale_bytes
            for j in range(n_keys):
                weight = by_token(sums, splat_each(queries, weights + 4 * j, ROW))
                acc = fma(weight, by_group(sums, values(at)), acc)
                if ahead:
                    prefetch(at + to_next)
                at += row_bytes
            store_grid(result, 64, 4 * width, acc)
            p += block_bytes

    return gather


@device
def first_seen(position, window):  # type: ignore[no-untyped-def]
    """Return the first key that a query sees: the last `window`, or since a multiple of -window."""
    if window < 0:
        return position // -window * -window
    return max(int64(0), position + 1 - window)


@cache
def attend(
    n: int, k_format: CacheFormat, v_format: CacheFormat, ahead: bool, latent: bool = False
) -> Any:
    """Return the device function for `n` queries side by side."""
    floats, add_values = tile(f32x16, n), gather(v_format, n, ahead)
    score = scores_of_rows(k_format, n, ahead) if latent else scores_of(k_format, n, ahead)

    @device
    def clear(span, width):  # type: ignore[no-untyped-def]
        for i in range(0, 4 * n * width, 64):
            store(span + RESULTS + i, zeros(f32x16))
        store(span + MAXIMA, splat(f32x16, LOWEST))
        store(span + SUMS, zeros(floats))

    @device
    def settle(span, work):  # type: ignore[no-untyped-def]
        """Make the factors by which earlier sums shrink, and update the sums."""
        store(work + FACTORS, exp(load(f32x16, work + FACTORS)))
        sums, added = load(floats, span + SUMS), load_each(floats, work + ADDED, 64)
        store(span + SUMS, fma(sums, splat_each(floats, work + FACTORS, 4), added))

    @device
    def attend(  # type: ignore[no-untyped-def]
        work, span, n_real, table, k_offset, v_offset, first, last, k_dim, width, window, cap
    ):
        """Attend to the keys from position `first`, where a chunk begins, to before `last`.

        Behind the first `n_real` queries are copies, which need no results.
        """
        clear(span, width)
        store(work + FACTORS, zeros(f32x16))
        for start in range(first, last, CHUNK):
            chunk = load(int64, table + start // CHUNK * 8)
            more = start + CHUNK < last
            following = load(int64, table + start // CHUNK * 8 + 8) if more else chunk
            n_keys = min(CHUNK, last - start)
            weights = work + WEIGHTS
            score(work + SPACE, chunk + k_offset, following + k_offset, k_dim, n_keys, weights)
            for r in range(n_real):
                end = load(int64, work + POSITIONS + 8 * r) + 1 - start
                low = max(int64(0), first_seen(start + end - 1, window) - start)
                if cap > 0:
                    cap_scores(weights + r * ROW, cap)
                weigh(weights + r * ROW, span, work, r, low, min(end, int64(CHUNK)))
            settle(span, work)
            add_values(span, chunk + v_offset, following + v_offset, work, width, n_keys)

    return attend
