"""Lanes for types whose own bits would take too long to take apart: relaid at load, exactly.

What is left has 4 bits a column, ordered as in Q4_0, and a float16 scale for the whole block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..gguf import GGMLType
from ..jit import device
from ..simd.lookup import lookup
from ..simd.ops import load, mul, splat, to_i32
from ..simd.types import f32x16, u8x16
from . import f32 as plain_floats
from .base import BlockScales, Bytes, Field, Floats, Format, IntLanes, Records
from .decoding import f32, side_by_side
from .lanes import block_lanes, front_scale, halves, nibbles


def as_float32(kind: GGMLType, dtype: str) -> Format:
    """Return the format of plain numbers that are float32 in lanes."""
    block = np.dtype(dtype)

    def relay(b: Records) -> Bytes:
        return side_by_side(f32(b))

    return Format(kind, block, f32, plain_floats.LANES, relay)


def as_nibbles(kind: GGMLType, block: np.dtype[Any], codes: Callable[[Records], Any]) -> Format:
    """Return the format of a type with value = d * (code - 8).

    `codes` returns them as bytes below 16, in order of columns.
    """
    n = kind.n_columns

    def decode(b: Records) -> Floats:
        return f32(b["d"])[:, None] * (f32(as_bytes(codes(b))).reshape(-1, n) - 8)

    def relay(b: Records) -> Bytes:
        return side_by_side(b["d"], in_pairs(codes(b), n))

    @device
    def quants(p, j):  # type: ignore[no-untyped-def]
        return nibbles(p + 32 + 256 * j)

    fields = (Field(0, 2, 1), Field(2, 4, n // 8))
    lanes = IntLanes(fields, quants, front_scale, shift=3, n_bits=4)
    return Format(kind, block, decode, lanes, relay)


def as_codes(
    kind: GGMLType,
    block: np.dtype[Any],
    parts: Callable[[Records], tuple[Any, Any, Any]],
    table: Sequence[int],
    unit: float,
    span: int,
    scales: Callable[[Records], Floats] | None = None,
) -> Format:
    """Return the format of a type with value = d * unit * m * table[code].

    `parts` returns d, the positive integers m of every `span` columns, and codes as `as_nibbles`
    has them. In lanes, bytes for m stand behind d.
    """
    n, n_spans = kind.n_columns, kind.n_columns // span
    values = np.array(table, np.float32)

    def decode(b: Records) -> Floats:
        d, m, codes = parts(b)
        by = (f32(d) * np.float32(unit))[:, None] * f32(m)
        return by[..., None] * values[as_bytes(codes).reshape(-1, n_spans, span)]

    def relay(b: Records) -> Bytes:
        d, m, codes = parts(b)
        return side_by_side(d, m.astype(np.uint8), in_pairs(codes, n))

    shift = max(abs(v) for v in table).bit_length()
    look_up = lookup(tuple(v + (1 << shift) for v in table))

    @device
    def d(p):  # type: ignore[no-untyped-def]
        return mul(halves(p), splat(f32x16, unit))

    @device
    def m(p, k):  # type: ignore[no-untyped-def]
        return to_i32(load(u8x16, p + 32 + 16 * k))

    @device
    def quants(p, j):  # type: ignore[no-untyped-def]
        return look_up(nibbles(p + 32 + 16 * n_spans + 256 * j))

    fields = (Field(0, 2, 1), Field(2, 1, n_spans), Field(2 + n_spans, 4, n // 8))
    of_block = BlockScales(d, m)
    lanes = block_lanes(fields, quants, of_block, shift=shift, span=span, n_bits=shift + 1)
    return Format(kind, block, decode, lanes, relay, scales)


def in_pairs(codes: Any, n: int) -> Any:
    """Put column j + 16 of every 32 above column j, for blocks of n columns."""
    eights = as_bytes(codes).view(np.uint64).reshape(-1, n // 32, 2, 2)
    return eights[:, :, 0] | eights[:, :, 1] << np.uint64(4)


def as_bytes(codes: Any) -> Any:
    return np.ascontiguousarray(codes).reshape(-1).view(np.uint8)
