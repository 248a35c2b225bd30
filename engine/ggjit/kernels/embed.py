"""Token ids to rows of a packed matrix, as float32."""

from __future__ import annotations

from functools import cache

from numba import float32, int32, int64, uint8

from ..formats import FloatLanes, Format, IntLanes
from ..jit import Kernel, kernel
from ..simd.ops import load, store
from .threads import share

# Offsets in a thread's scratch: quants of a block, its scales and its minima
SCALES, MINIMA, SCRATCH = 512, 576, 640


@cache
def embed(fmt: Format) -> Kernel:
    """Return the kernel of a format."""
    if isinstance(fmt.lanes, FloatLanes):
        return _embed_float(fmt, fmt.lanes)
    return _embed_int(fmt, fmt.lanes)


def _embed_float(fmt: Format, lanes: FloatLanes) -> Kernel:
    values, column_bytes = lanes.values, 16 * fmt.n_bytes

    def embed_rows(
        weights: int, tokens: int, out: int, stride: int, n_columns: int, scratch: int,
        scratch_step: int, count: int, thread: int, n_threads: int,
    ) -> None:
        first, last = share(load(int64, count), thread, n_threads)
        lanes = scratch + thread * scratch_step
        for t in range(first, last):
            row = int64(load(int32, load(int64, tokens) + 4 * t))
            w = weights + row // 16 * n_columns * column_bytes
            for i in range(n_columns):
                store(lanes, values(w + i * column_bytes))
                store(out + t * stride + 4 * i, load(float32, lanes + 4 * (row % 16)))
            for i in range(n_columns, stride // 4):
                store(out + t * stride + 4 * i, float32(0))

    return kernel(embed_rows, f"embed_{fmt.name}")


def _embed_int(fmt: Format, packed: IntLanes) -> Kernel:
    quants, scale, minimum = packed.quants, packed.scale, packed.minimum or packed.scale
    has_minimum, span = packed.minimum is not None, packed.span
    centre = 0 if packed.shift is None else 1 << packed.shift
    n_spans, group_bytes = fmt.n_columns // span, 16 * fmt.packed_bytes
    n_block_columns = fmt.n_columns

    def embed_rows(
        weights: int, tokens: int, out: int, stride: int, n_columns: int, scratch: int,
        scratch_step: int, count: int, thread: int, n_threads: int,
    ) -> None:
        first, last = share(load(int64, count), thread, n_threads)
        lanes = scratch + thread * scratch_step
        n_blocks = n_columns // n_block_columns
        for t in range(first, last):
            row = int64(load(int32, load(int64, tokens) + 4 * t))
            lane, to = row % 16, out + t * stride
            w = weights + row // 16 * n_blocks * group_bytes
            for _ in range(n_blocks):
                for k in range(n_spans):
                    if k * span % 32 == 0:
                        store(lanes, quants(w, k * span // 32))
                    store(lanes + SCALES, scale(w, k))
                    store(lanes + MINIMA, minimum(w, k))
                    d, m = load(float32, lanes + SCALES + 4 * lane), float32(0)
                    if has_minimum:
                        m = load(float32, lanes + MINIMA + 4 * lane)
                    for j in range(k * span % 32, k * span % 32 + span):
                        q = load(uint8, lanes + 64 * (j // 4) + 4 * lane + j % 4)
                        store(to, d * float32(int64(q) - centre) + m)
                        to += 4
                w += group_bytes

    return kernel(embed_rows, f"embed_{fmt.name}")
