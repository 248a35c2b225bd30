"""Sums of squares of what is multiplied by matrices: how much their columns matter."""

from numba import float32, float64, int64

from ..jit import kernel
from ..simd.ops import fma, load, store, zeros
from ..simd.types import f32x16
from .threads import share

SCRATCH = 64  # bytes


@kernel
def add_squares(
    x: int, stride: int, starts: int, counts: int, n_stack: int, n_columns: int, sums: int,
    sums_step: int, totals: int, scratch: int, scratch_step: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """sums[e] += the sum of x**2 over a group's rows, totals[e] += how many there are.

    Rows are grouped as in `experts`. Sums are float64; rows of one call are summed in float32.
    Threads take 16 columns.
    """
    first, last = share((n_columns + 15) // 16, thread, n_threads)
    own = scratch + thread * scratch_step
    for e in range(n_stack):
        n = load(int64, counts + 8 * e)
        begin = x + load(int64, starts + 8 * e) * stride
        if thread == 0:
            store(totals + 8 * e, load(int64, totals + 8 * e) + n)
        for block in range(first, last):
            of_rows = zeros(f32x16)
            for i in range(begin + 64 * block, begin + 64 * block + n * stride, stride):
                of_rows = fma(load(f32x16, i), load(f32x16, i), of_rows)
            store(own, of_rows)
            to = sums + e * sums_step + 128 * block
            for j in range(16):
                one = float64(load(float32, own + 4 * j))
                store(to + 8 * j, load(float64, to + 8 * j) + one)
