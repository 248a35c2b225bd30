"""Packed rows to plain ones, a byte a quant and a float a scale, for tiles that read them often."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..formats import Format, IntLanes
from ..jit import device
from ..simd.dot import as_words, in_words
from ..simd.ops import store

RUN = 512  # bytes of 32 columns of 16 rows


def quant_bytes(wide: bool) -> int:
    """Bytes that 32 columns of 16 rows need, a byte or a word a quant."""
    return 2 * RUN if in_words(wide) else RUN


def scale_bytes(fmt: Format) -> int:
    """Bytes that 32 columns of 16 rows need for scales and, if there are any, minima."""
    assert isinstance(fmt.lanes, IntLanes)
    return 64 * (32 // fmt.lanes.span) * (1 + (fmt.lanes.minimum is not None))


def unpacked_bytes(n_columns: int) -> int:
    """Bytes that 16 rows need at most."""
    return n_columns // 32 * (2 * RUN + 4 * 64)


@cache
def unpack_of(fmt: Format, wide: bool) -> Any:
    """Return the device function that unpacks 16 rows: quants run by run, and the scales.

    Of every span there is a scale, and its minimum behind it. Words have their shift subtracted.
    """
    lanes = fmt.lanes
    assert isinstance(lanes, IntLanes)
    signed = as_words(0 if lanes.shift is None else 1 << lanes.shift)
    quants, scale, minimum = lanes.quants, lanes.scale, lanes.minimum or lanes.scale
    has_minimum, n_spans, n_runs = lanes.minimum is not None, 32 // lanes.span, fmt.n_columns // 32
    group_bytes, words, run = 16 * fmt.packed_bytes, in_words(wide), quant_bytes(wide)

    @device
    def unpack(w, to, scales, n_blocks):  # type: ignore[no-untyped-def]
        for _ in range(n_blocks):
            for j in range(n_runs):
                if words:
                    store(to, signed(quants(w, j)))
                else:
                    store(to, quants(w, j))
                to += run
                for k in range(j * n_spans, (j + 1) * n_spans):
                    store(scales, scale(w, k))
                    scales += 64
                    if has_minimum:
                        store(scales, minimum(w, k))
                        scales += 64
            w += group_bytes

    return unpack
