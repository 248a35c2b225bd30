"""The heart of the int8 matrix product: 16 rows by a few tokens."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..formats import IntLanes
from ..jit import device
from ..simd import target
from ..simd.dot import dot
from ..simd.ops import (
    add,
    fma,
    load,
    load_each,
    mul,
    prefetch,
    shift_left,
    splat_each,
    store_each,
    sub,
    to_f32,
    zeros,
)
from ..simd.types import f32x16, i32x16, tile

# Beside quantized activations lies what the product needs of every 32 columns of every token:
# scale, scale * sum of quants, sum of quants (int32), as [block, 3, token], so that one block's
# scales of neighbouring tokens are neighbours.
META = 12  # bytes per block and token
PANEL = 64  # tokens whose activations stay in the nearest caches while weights pass


def n_tile() -> int:
    """Return how many tokens share each loaded weight: what fits the machine's registers."""
    return target.current().n_tokens


@cache
def tile_of(lanes: IntLanes, n_bytes: int, n: int, wide: bool) -> Any:
    """Return the device function that computes 16 rows by `n` tokens; `wide`: of 16 bits."""
    floats, ints = tile(f32x16, n), tile(i32x16, n)
    quants, scale, minimum = lanes.quants, lanes.scale, lanes.minimum or lanes.scale
    has_minimum, shifted = lanes.minimum is not None, lanes.shift is not None
    shift = lanes.shift or 0
    group_bytes, block = 16 * n_bytes, 64 if wide else 32  # bytes of a token's block

    @device
    def rows_by_tokens(w, x, meta, bias, residual, out, t, n_tokens, g, n_blocks, stride):  # type: ignore[no-untyped-def]
        step = block * n_blocks
        x += t * step
        scales = meta + 4 * t
        scaled_sums, sums = scales + 4 * n_tokens, scales + 8 * n_tokens
        acc = zeros(floats)
        for _ in range(n_blocks):
            q = quants(w)
            dots = dot(zeros(ints), q, x + block - 32, step)
            if wide:
                dots = add(dots, shift_left(dot(zeros(ints), q, x, step), 8))
            if shifted:
                dots = sub(dots, shift_left(splat_each(ints, sums, 4), shift))
            by = mul(splat_each(floats, scales, 4), scale(w))
            acc = fma(to_f32(dots), by, acc)
            if has_minimum:
                acc = fma(splat_each(floats, scaled_sums, 4), minimum(w), acc)
            if n == 1:
                for line in range(0, group_bytes, 64):
                    prefetch(w + group_bytes * 8 + line)
            w += group_bytes
            x += block
            scales += META * n_tokens
            scaled_sums += META * n_tokens
            sums += META * n_tokens
        if bias != 0:
            acc = add(acc, load(f32x16, bias + 64 * g))
        at = t * stride + 64 * g
        if residual != 0:
            acc = add(acc, load_each(floats, residual + at, stride))
        store_each(out + at, stride, acc)

    return rows_by_tokens
