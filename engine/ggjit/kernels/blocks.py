"""What products that sum blocks of 256 columns as integers have in common: see `form_of`.

Of a block, every (token, row) has the sum of its activations times (quant - 2**shift) * s, where s
are the scales' integers: 256 * high + low, exact however it is computed. As a float, rounded in
one way whoever sums, it is multiplied by the activations' scale and the weights' d; so is the sum
of the minima's integers, each times the activations of its columns.
"""

from __future__ import annotations

from typing import Any

from numba import float32

from ..formats import Format, IntLanes
from ..formats.base import BlockScales
from ..jit import device
from ..simd.ops import add, bit_field, fma, mul, shift_right, splat, to_f32
from ..simd.types import f32x16
from .tiles import BLOCK, BLOCK_RUNS, HALF_SUMS, RUN_SUMS


def scales_of(fmt: Format) -> tuple[IntLanes, BlockScales]:
    """Return the lanes of a format that is summed by block, and what they say of scales."""
    assert isinstance(fmt.lanes, IntLanes), fmt.name
    assert fmt.lanes.of_block, fmt.name
    assert fmt.n_columns == BLOCK, fmt.name
    assert not (fmt.lanes.shift and fmt.lanes.of_block.m), "sums are of one of them"
    return fmt.lanes, fmt.lanes.of_block


@device
def whole(high, low):  # type: ignore[no-untyped-def]
    """Return 256 * high + low as floats, which are the same for all of one sum."""
    high, low = add(high, shift_right(low, 8)), bit_field(low, 0, 8)
    return fma(to_f32(high), splat(f32x16, float32(256)), to_f32(low))


@device
def add_block(acc, high, low, by, d):  # type: ignore[no-untyped-def]
    """Add a block's sum; `by`: the activations' scale."""
    return fma(whole(high, low), mul(by, d), acc)


@device
def add_minima(acc, sums, by, dmin):  # type: ignore[no-untyped-def]
    """Add a block's minima."""
    return fma(to_f32(sums), mul(by, dmin), acc)


def n_sums(lanes: IntLanes) -> int:
    """Return how many sums of activations a block's minima meet."""
    return BLOCK // lanes.span


def first_sum(lanes: IntLanes) -> int:
    """Return where in a record these sums begin."""
    return RUN_SUMS if lanes.span == 32 else HALF_SUMS


def sum_place(lanes: IntLanes) -> Any:
    """Return the device function for which of these sums is that of the k-th span."""
    one_span = lanes.span == 32

    @device
    def at(k):  # type: ignore[no-untyped-def]
        return k if one_span else k % 2 * BLOCK_RUNS + k // 2

    return at
