"""Token ids to rows of a packed matrix, as float32."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import float32, int32, int64, uint8

from ..formats import FloatLanes, Format, IntLanes
from ..jit import Kernel, device, kernel
from ..simd.ops import load, store
from .pack import rows_of
from .threads import share

# Offsets in a thread's scratch: quants of a run, its scales and its minima, a packed group
SCALES, MINIMA, GROUP = 512, 576, 640


def scratch_bytes(fmt: Format, n_columns: int) -> int:
    """Bytes of scratch each thread needs."""
    return GROUP + 16 * n_columns // fmt.n_columns * fmt.packed_bytes


@cache
def embed(fmt: Format, mapped: bool = False) -> Kernel:
    """Return the kernel of a format; `mapped`: from the file."""
    rows, decode_row, n_block_columns = rows_of(fmt, mapped), row_decoder(fmt), fmt.n_columns

    def embed_rows(
        weights: int, tokens: int, out: int, stride: int, n_rows: int, n_columns: int, fields: int,
        n_fields: int, scratch: int, scratch_step: int, count: int, thread: int, n_threads: int,
    ) -> None:  # fmt: skip
        first, last = share(load(int64, count), thread, n_threads)
        own, n_blocks = scratch + thread * scratch_step, n_columns // n_block_columns
        for t in range(first, last):
            row, to = int64(load(int32, load(int64, tokens) + 4 * t)), out + t * stride
            w = rows(weights, row // 16, n_rows, n_blocks, fields, n_fields, own + GROUP)
            decode_row(w, row % 16, n_blocks, own, to)
            for i in range(n_columns, stride // 4):
                store(to + 4 * i, float32(0))

    return kernel(embed_rows, f"embed_{fmt.name}{'_mapped' if mapped else ''}")


def row_decoder(fmt: Format) -> Any:
    """Return the device function that decodes one row of a packed group."""
    if isinstance(fmt.lanes, FloatLanes):
        return _float_row(fmt.lanes, 16 * fmt.packed_bytes)
    return _int_row(fmt.lanes, fmt.n_columns, 16 * fmt.packed_bytes)


def _float_row(packed: FloatLanes, column_bytes: int) -> Any:
    values = packed.values

    @device
    def decode_row(w, lane, n_columns, own, to):  # type: ignore[no-untyped-def]
        for i in range(n_columns):
            store(own, values(w + i * column_bytes))
            store(to + 4 * i, load(float32, own + 4 * lane))

    return decode_row


def _int_row(packed: IntLanes, n_block_columns: int, block_bytes: int) -> Any:
    quants, scale, minimum = packed.quants, packed.scale, packed.minimum or packed.scale
    has_minimum, span, n_spans = packed.minimum is not None, packed.span, 32 // packed.span
    centre = 0 if packed.shift is None else 1 << packed.shift

    @device
    def decode_row(w, lane, n_blocks, own, to):  # type: ignore[no-untyped-def]
        for _ in range(n_blocks):
            for k in range(n_block_columns // span):
                if k % n_spans == 0:
                    store(own, quants(w, k // n_spans))
                store(own + SCALES, scale(w, k))
                store(own + MINIMA, minimum(w, k))
                d, m = load(float32, own + SCALES + 4 * lane), float32(0)
                if has_minimum:
                    m = load(float32, own + MINIMA + 4 * lane)
                first = k % n_spans * span
                for j in range(first, first + span):
                    q = load(uint8, own + 64 * (j // 4) + 4 * lane + j % 4)
                    store(to, d * float32(int64(q) - centre) + m)
                    to += 4
            w += block_bytes

    return decode_row
