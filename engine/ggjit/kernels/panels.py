"""Stacked matrices as floats, in panels of 16 outputs side by side: what `expand` multiplies by."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int32

from ..formats import FloatLanes, Format, IntLanes
from ..jit import Kernel, device, kernel
from ..simd.ops import bit_field, fma, load, mul, splat, store, sub, to_f32, transpose
from ..simd.types import f32x16, i32x16, tile
from .pack import rows_of
from .threads import share
from .unpack import RUN

_SQUARE = tile(f32x16, 16)


def panel_bytes(n_inputs: int) -> int:
    """Bytes of a panel: [n_inputs, 16]."""
    return 64 * n_inputs


def scratch_bytes(fmt: Format, n_columns: int) -> int:
    """Bytes of scratch each thread needs: a run of quants, a group's floats, a packed group."""
    floats = 64 * ((n_columns + 15) // 16 * 16)
    return RUN + floats + 16 * n_columns // fmt.n_columns * fmt.packed_bytes


@cache
def panels(fmt: Format, mapped: bool, turned: bool) -> Kernel:
    """Return the kernel for some matrices of a stack; `turned`: rows are inputs, not outputs."""
    rows, decode, n_block_columns = rows_of(fmt, mapped), group_decoder(fmt), fmt.n_columns

    def panels(
        weights: int, stack_step: int, n_rows: int, n_columns: int, fields: int, n_fields: int,
        out: int, out_step: int, n_stack: int, scratch: int, scratch_step: int, thread: int,
        n_threads: int,
    ) -> None:  # fmt: skip
        n_groups, own = (n_rows + 15) // 16, scratch + thread * scratch_step
        n_blocks, floats = n_columns // n_block_columns, own + RUN
        packed = floats + 64 * ((n_columns + 15) // 16 * 16)
        first, last = share(n_stack * n_groups, thread, n_threads)
        for i in range(first, last):
            e, g = i // n_groups, i % n_groups
            w = rows(weights + e * stack_step, g, n_rows, n_blocks, fields, n_fields, packed)
            to = out + e * out_step
            if turned:
                decode(w, n_blocks, own, floats)
                turn(floats, to + 1024 * g, n_columns, min(16, n_rows - 16 * g), 64 * n_rows)
            else:
                decode(w, n_blocks, own, to + 64 * n_columns * g)

    suffix = f"{'_mapped' if mapped else ''}{'_turned' if turned else ''}"
    return kernel(panels, f"panels_{fmt.name}{suffix}")


@device
def turn(floats, to, n_columns, n_rows, panel_step):  # type: ignore[no-untyped-def]
    """Bring n rows, 16 of a column side by side, to panels that have them one after the other."""
    for j in range(0, n_columns, 16):
        square = floats + 64 * j
        store(square, transpose(load(_SQUARE, square)))
        for r in range(n_rows):
            store(to + 64 * r, load(f32x16, square + 64 * r))
        to += panel_step


def group_decoder(fmt: Format) -> Any:
    """Return the device function that writes each column of a packed group, 16 floats."""
    if isinstance(fmt.lanes, FloatLanes):
        return _float_group(fmt.lanes, 16 * fmt.packed_bytes)
    return _int_group(fmt.lanes, fmt.n_columns, 16 * fmt.packed_bytes)


def _float_group(lanes: FloatLanes, column_bytes: int) -> Any:
    values = lanes.values

    @device
    def decode_group(w, n_columns, own, to):  # type: ignore[no-untyped-def]
        for i in range(n_columns):
            store(to + 64 * i, values(w + i * column_bytes))

    return decode_group


def _int_group(lanes: IntLanes, n_block_columns: int, block_bytes: int) -> Any:
    quants, scale, minimum = lanes.quants, lanes.scale, lanes.minimum or lanes.scale
    has_minimum, span, n_spans = lanes.minimum is not None, lanes.span, 32 // lanes.span
    centre = 0 if lanes.shift is None else 1 << lanes.shift

    @device
    def decode_span(first, own, by, least, to):  # type: ignore[no-untyped-def]
        for j in range(first, first + span):
            words = load(i32x16, own + 64 * (j // 4))
            q = sub(bit_field(words, 8 * (j % 4), 8), splat(i32x16, int32(centre)))
            if has_minimum:
                store(to, fma(to_f32(q), by, least))
            else:
                store(to, mul(to_f32(q), by))
            to += 64

    @device
    def decode_group(w, n_blocks, own, to):  # type: ignore[no-untyped-def]
        for _ in range(n_blocks):
            for k in range(n_block_columns // span):
                if k % n_spans == 0:
                    store(own, quants(w, k // n_spans))
                decode_span(k % n_spans * span, own, scale(w, k), minimum(w, k), to)
                to += 64 * span
            w += block_bytes

    return decode_group
