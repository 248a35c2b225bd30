"""Rotary position embedding."""

import math

from numba import float32, float64, int32, int64

from ..jit import kernel
from ..simd.ops import load, store
from .threads import share


@kernel
def rope_angles(
    frequencies: int, n_pairs: int, scale: float, positions: int, out: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Leave (cos, sin) of position * frequency for the batch; angles in float64.

    `positions` is the address of the list's address. Shapes: out [n_tokens, n_pairs, 2].
    """
    first, last = share(load(int64, count), thread, n_threads)
    for t in range(first, last):
        position = load(int32, load(int64, positions) + 4 * t)
        for i in range(n_pairs):
            angle = float64(position) * load(float64, frequencies + 8 * i)
            to = out + 8 * (t * n_pairs + i)
            store(to, float32(math.cos(angle)) * scale)
            store(to + 4, float32(math.sin(angle)) * scale)


@kernel
def rope(
    x: int, out: int, stride: int, angles: int, n_heads: int, head_dim: int, n_pairs: int,
    first_step: int, second_offset: int, count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Turn the pairs of every head and copy the rest; `out` may be `x`.

    Pair i is the elements at first_step * i and second_offset further: (2, 1) for interleaved
    pairs, (1, n_pairs) for halves.
    """
    first, last = share(load(int64, count), thread, n_threads)
    for t in range(first, last):
        for h in range(n_heads):
            offset = t * stride + 4 * h * head_dim
            for i in range(n_pairs):
                a = offset + 4 * first_step * i
                b = a + 4 * second_offset
                turn = angles + 8 * (t * n_pairs + i)
                cos, sin = load(float32, turn), load(float32, turn + 4)
                u, v = load(float32, x + a), load(float32, x + b)
                store(out + a, u * cos - v * sin)
                store(out + b, u * sin + v * cos)
            for i in range(2 * n_pairs, head_dim):
                store(out + offset + 4 * i, load(float32, x + offset + 4 * i))
