"""Causal attention over a cache in chunks of 64 positions.

A batch is cut into parts, one a sequence, and these into tiles of queries that share a key head and
every key they load. Threads take tiles as they become free; with few of them, spans of tiles
(attention_spans.py), which the thread that ends a tile's last one puts together. What a query sees
does not depend on any of it.
"""

from __future__ import annotations

from functools import cache

from numba import float32, int32, int64

from ..jit import Kernel, device, kernel
from ..simd import target
from ..simd.atomics import atomic_add
from ..simd.ops import load, mul, splat, store
from ..simd.types import f32x16
from .attention_spans import SPAN, attend_spans, bounds, inverse_sum, put_together, span_bytes
from .attention_tile import POSITIONS, QUERIES, RESULTS, SPACE, first_seen
from .cache_formats import BLOCK, CHUNK, CacheFormat
from .quantize import quantize_columns

SPLIT = 256  # queries of a batch, at most, for spans to be divided among threads
EVERYTHING = 1 << 40  # window of a layer without one
LINE = 64  # bytes from a count to the next: one for tiles taken, then each tile's ended spans


def tile_sizes(group: int) -> tuple[int, int]:
    """Return how many queries attend together: of a prompt, and of one token's heads."""
    wide, most = target.current().queries
    n_tiles = (group + most - 1) // most
    return wide, (group + n_tiles - 1) // n_tiles


def padded(v_dim: int) -> int:
    return (v_dim + 31) // 32 * 32


def work_bytes(k_dim: int) -> int:
    """Bytes of a thread's work space."""
    return SPACE + 4 * QUERIES * padded(k_dim)


def scratch_bytes(k_dim: int, v_dim: int) -> int:
    """Bytes each thread needs: its work space, and the results of a span and of all before."""
    return work_bytes(k_dim) + 2 * span_bytes.py_func(padded(v_dim), QUERIES)


def shared_bytes(v_dim: int, n_context: int) -> int:
    """Bytes that threads share: counts, and the results of spans that are divided among them."""
    n_spans = (n_context + SPAN - 1) // SPAN
    most = span_bytes.py_func(padded(v_dim), 4)  # two queries may take a tile of eight
    return LINE * (1 + SPLIT) + n_spans * SPLIT * most


@device
def copy_scaled(source, to, n, scale):  # type: ignore[no-untyped-def]
    """to[:n] = source[:n] * scale."""
    by = splat(f32x16, scale)
    for i in range(0, n - 15, 16):
        store(to + 4 * i, mul(load(f32x16, source + 4 * i), by))
    for i in range(n // 16 * 16, n):
        store(to + 4 * i, load(float32, source + 4 * i) * scale)


@device
def place_queries(  # type: ignore[no-untyped-def]
    work, size, first, n, group, h, q, q_stride, k_dim, row, scale, positions
):
    """Bring a tile's queries and positions into the work space; the last one fills it up.

    Behind a query's columns are zeros up to `row`.
    """
    for r in range(size):
        query = first + min(r, n - 1)
        t, head = query // group, h * group + query % group
        to = work + SPACE + 4 * r * row
        copy_scaled(q + t * q_stride + 4 * head * k_dim, to, k_dim, scale)
        for i in range(k_dim, row):
            store(to + 4 * i, float32(0))
        store(work + POSITIONS + 8 * r, int64(load(int32, positions + 4 * t)))


@device
def reached(work, size, window):  # type: ignore[no-untyped-def]
    """Return from where, a chunk's start, to before where a tile's queries see keys."""
    start = first_seen(load(int64, work + POSITIONS), window)
    return start // CHUNK * CHUNK, load(int64, work + POSITIONS + 8 * size - 8) + 1


@device
def finish(  # type: ignore[no-untyped-def]
    total, work, first, n, group, h, sinks, width, v_dim, out, stride, q8, form, meta, n_tokens,
    n_heads,
):  # fmt: skip
    """Write a tile's results, and their integers where these are wanted."""
    for r in range(n):
        t, head = (first + r) // group, h * group + (first + r) % group
        to = out + t * stride + 4 * head * v_dim
        inverse = inverse_sum(total, work, r, sinks, head)
        copy_scaled(total + RESULTS + 4 * r * width, to, v_dim, inverse)
        if q8 != 0:
            n_runs, row = v_dim // 32, out + t * stride
            first_run, end = head * n_runs, head * n_runs + n_runs
            n_columns = n_heads * v_dim
            quantize_columns(row, q8, form, meta, t, first_run, end, n_columns, n_tokens)


@cache
def attention(
    k_format: CacheFormat, v_format: CacheFormat, group: int, latent: bool = False
) -> Kernel:
    """Return the kernel for `group` query heads a key head; `latent`: keys are kept as values."""
    wide, narrow = tile_sizes(group)
    attend = attend_spans(k_format, v_format, wide, narrow, latent)
    unit = BLOCK if latent else 2

    # q8 (unless 0): results are left quantized too; needs v_dim to be a multiple of 32
    def attention(
        q: int, out: int, q_stride: int, stride: int, k_offset: int, v_offset: int, k_head: int,
        v_head: int, n_heads: int, n_kv_heads: int, k_dim: int, v_dim: int, table_offset: int,
        scale: float, window: int, cap: float, sinks: int, scratch: int, scratch_step: int,
        work_bytes: int, shared: int, q8: int, form: int, meta: int, batch_tables: int,
        batch_positions: int, batch_starts: int, part_count: int, count: int, thread: int,
        n_threads: int,
    ) -> None:  # fmt: skip
        n_tokens, positions = load(int64, count), load(int64, batch_positions)
        starts, tables = load(int64, batch_starts), load(int64, batch_tables)
        width, work = (v_dim + 31) // 32 * 32, scratch + thread * scratch_step
        row = (k_dim + unit - 1) // unit * unit
        total = work + work_bytes
        taken, before = atomic_add(shared, int64(1)), int64(0)
        ended, kept = shared + LINE, shared + LINE * (1 + SPLIT)
        for p in range(load(int64, part_count)):
            start, end = load(int64, starts + 8 * p), load(int64, starts + 8 * p + 8)
            size = narrow if end - start == 1 else wide
            n_tiles = ((end - start) * group + size - 1) // size
            lowest = first_seen(int64(load(int32, positions + 4 * start)), window)
            first_span = lowest // SPAN
            n_spans = int64(load(int32, positions + 4 * end - 4)) // SPAN + 1 - first_span
            n_pieces = n_spans if n_tokens * n_heads <= SPLIT else int64(1)
            n_items, result_bytes = n_tiles * n_kv_heads * n_pieces, span_bytes(width, size)
            table = load(int64, tables + 8 * start) + table_offset
            while taken < before + n_items:
                item = taken - before  # later tiles, which see more, come first
                h, i = item % n_kv_heads, n_tiles - 1 - item // n_kv_heads % n_tiles
                number, piece = i * n_kv_heads + h, item // n_kv_heads // n_tiles
                first = start * group + i * size
                n = min(int64(size), end * group - first)
                place_queries(
                    work, size, first, n, group, h, q, q_stride, k_dim, row, scale, positions
                )
                low, high = reached(work, size, window)
                keys, values = k_offset + h * k_head, v_offset + h * v_head
                result, a, b = total, low, high
                results = kept + number * n_pieces * result_bytes
                if n_pieces > 1:
                    result = results + piece * result_bytes
                    a, b = bounds(first_span + piece, low, high)
                shape = (k_dim, width, window, cap)
                attend(size, n, work, result, table, keys, values, a, b, *shape)
                if n_pieces > 1:
                    counter = ended + LINE * number
                    result = put_together(
                        results, counter, work, n_pieces, first_span, low, high, size, n, width
                    )
                if result != 0:
                    finish(
                        result, work, first, n, group, h, sinks, width, v_dim, out, stride,
                        q8, form, meta, n_tokens, n_heads,
                    )  # fmt: skip
                taken = atomic_add(shared, int64(1))
            before += n_items
            ended += LINE * n_tiles * n_kv_heads
            kept += n_items * result_bytes
        if taken == before + n_threads - 1:  # everything is done: the next run starts anew
            store(shared, int64(0))

    kind = "latent_attention" if latent else "attention"
    return kernel(attention, f"{kind}_{k_format.name}_{v_format.name}_{group}")
