"""Spans of keys put together, in their order: long contexts are divided among threads by them.

A span is 16 chunks counted from the sequence's start, whoever computes it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int64

from ..jit import device
from ..simd.atomics import atomic_add
from ..simd.ops import fma, load, maximum, mul, splat, store, sub, sum_all
from ..simd.types import f32x16
from .attention_tile import ADDED, FACTORS, LOWEST, MAXIMA, RESULTS, SUMS, attend
from .cache_formats import CHUNK, CacheFormat
from .exponential import exp

SPAN = 16 * CHUNK  # keys


@device
def span_bytes(width, n):  # type: ignore[no-untyped-def]
    """Bytes that n queries leave of a span."""
    return RESULTS + 4 * n * width


@device
def bounds(span, low, high):  # type: ignore[no-untyped-def]
    """Return what a span has of the keys from `low` to before `high`."""
    return max(low, span * SPAN), min(high, span * SPAN + SPAN)


@cache
def attend_spans(
    k_format: CacheFormat, v_format: CacheFormat, wide: int, narrow: int, latent: bool
) -> Any:
    """Return the device function that lets a tile attend, in work space that holds its queries."""
    few = attend(narrow, k_format, v_format, True, latent)
    many = few if wide == narrow else attend(wide, k_format, v_format, False, latent)

    @device
    def attend_spans(  # type: ignore[no-untyped-def]
        size, n, work, total, table, keys, values, low, high, k_dim, width, window, cap
    ):
        """Leave the results of the keys from `low` to before `high` in `total`.

        Behind `total` there must be room for another span, if these keys are in several.
        """
        into = total
        for span in range(low // SPAN, (high + SPAN - 1) // SPAN):
            a, b = bounds(span, low, high)
            if size == wide:
                many(work, into, n, table, keys, values, a, b, k_dim, width, window, cap)
            else:
                few(work, into, n, table, keys, values, a, b, k_dim, width, window, cap)
            if into != total:
                merge(total, into, work, n, width)
            into = total + span_bytes(width, size)

    return attend_spans


@device
def put_together(results, counter, work, n_spans, first_span, low, high, size, n, width):  # type: ignore[no-untyped-def]
    """Count a tile's span as ended; after the last one merge all and return where, else 0.

    `results` are those of `n_spans` from `first_span` on, with room for `size` queries each; the
    tile's n queries see keys from `low` to before `high`.
    """
    if atomic_add(counter, int64(1)) < n_spans - 1:
        return int64(0)
    store(counter, int64(0))
    step = span_bytes(width, size)
    total = results + (low // SPAN - first_span) * step
    for span in range(low // SPAN + 1, (high + SPAN - 1) // SPAN):
        merge(total, results + (span - first_span) * step, work, n, width)
    return total


@device
def merge(total, span, work, n, width):  # type: ignore[no-untyped-def]
    """Add what n queries found in a span to what they found before it."""
    before, now = load(f32x16, total + MAXIMA), load(f32x16, span + MAXIMA)
    top = maximum(before, now)
    store(work + FACTORS, exp(sub(before, top)))
    store(work + ADDED, exp(sub(now, top)))
    store(total + MAXIMA, top)
    for r in range(n):
        by = splat(f32x16, load(float32, work + FACTORS + 4 * r))
        by_now = splat(f32x16, load(float32, work + ADDED + 4 * r))
        row = RESULTS + 4 * r * width
        _add_scaled(total + SUMS + 64 * r, span + SUMS + 64 * r, by, by_now, 16)
        _add_scaled(total + row, span + row, by, by_now, width)


@device
def _add_scaled(total, span, by, by_now, n):  # type: ignore[no-untyped-def]
    for i in range(0, 4 * n, 64):
        now = mul(load(f32x16, span + i), by_now)
        store(total + i, fma(load(f32x16, total + i), by, now))


@device
def inverse_sum(total, work, r, sinks, head):  # type: ignore[no-untyped-def]
    """Return what query r's results are to be multiplied by; a sink has a share and no value."""
    weights = sum_all(load(f32x16, total + SUMS + 64 * r))
    if sinks == 0:
        return float32(1) / weights
    largest, sink = load(float32, total + MAXIMA + 4 * r), load(float32, sinks + 4 * head)
    top = max(largest, sink)
    store(work + FACTORS, splat(f32x16, LOWEST))
    store(work + FACTORS, largest - top)
    store(work + FACTORS + 4, sink - top)
    store(work + FACTORS, exp(load(f32x16, work + FACTORS)))
    by = load(float32, work + FACTORS)
    return by / (weights * by + load(float32, work + FACTORS + 4))
