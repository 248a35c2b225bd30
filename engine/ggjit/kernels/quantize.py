"""Float32 activations to integers: a scale every 32 columns, with the sums that products need.

Activations of 8 bits are 32 bytes a run of 32 columns. Those of 16 bits are 256 * high + low: a
run's 32 high bytes and its 32 low ones behind them, or for targets that multiply words, words.
Blocks of 256 have one scale, and are laid out as tiles read them. See tiles.py.
"""

from numba import float32, int32, int64

from ..jit import device, kernel
from ..simd.dot import in_words
from ..simd.ops import (
    absolute,
    add,
    fma,
    load,
    max_all,
    maximum,
    mul,
    round_to,
    shift_left,
    shift_right,
    splat,
    store,
    store_bytes,
    store_words,
    sub,
    sum_all,
    zeros,
)
from ..simd.types import f32x16, i32x16
from .threads import share
from .tiles import BLOCK_BYTES, BLOCK_RUNS, BLOCKS, BYTES, HALF_SUMS, META, RECORD, RUN_SUMS

WORDS = in_words(True)
TINY = float32(1e-33)  # runs below are zeros: levels / largest would overflow


@device
def share_runs(n_columns, form, thread, n_threads):  # type: ignore[no-untyped-def]
    """Return this thread's part [first, last) of the runs of 32 columns: whole blocks of such."""
    n_runs = (n_columns + 31) // 32
    if form != BLOCKS:
        return share(n_runs, thread, n_threads)
    first, last = share(n_runs // BLOCK_RUNS, thread, n_threads)
    return first * BLOCK_RUNS, last * BLOCK_RUNS


@device
def quantize_columns(x, q, form, meta, t, first, last, n_columns, n_tokens):  # type: ignore[no-untyped-def]
    """Quantize runs of 32 columns, `first` to before `last`, of token t, whose row is at `x`.

    `q` and `meta` are where those of n_tokens tokens of n_columns begin.
    """
    if form == BLOCKS:
        for k in range(first // BLOCK_RUNS, last // BLOCK_RUNS):
            at = k * n_tokens + t
            quantize_block(x + 1024 * k, q + at * BLOCK_BYTES, meta + at * RECORD)
        return
    parts = int64(1) if form == BYTES else int64(2)
    cells, meta = q + parts * t * n_columns, meta + 4 * t
    levels = float32(127) if form == BYTES else float32(127 * 256)
    for i in range(first, last):
        a, b = load(f32x16, x + 128 * i), load(f32x16, x + 128 * i + 64)
        largest = largest_of(maximum(absolute(a), absolute(b)), dead(a, b))
        inverse = inverse_of(levels, largest)
        qa, qb = round_to(i32x16, mul(a, inverse)), round_to(i32x16, mul(b, inverse))
        first_sum = sum_all(qa)
        total = int32(first_sum + sum_all(qb))
        to = cells + 32 * parts * i
        if form == BYTES:
            store_bytes(to, qa)
            store_bytes(to + 16, qb)
        else:
            store_wide(to, qa, qb)
        at = meta + META * n_tokens * i
        store(at, largest / levels)
        store(at + 4 * n_tokens, float32(total))
        store(at + 8 * n_tokens, float32(first_sum))


@device
def quantize_block(x, cells, record):  # type: ignore[no-untyped-def]
    """Quantize 256 columns that share a scale."""
    most, none = zeros(f32x16), zeros(f32x16)
    for i in range(0, 1024, 128):
        a, b = load(f32x16, x + i), load(f32x16, x + i + 64)
        most = maximum(most, maximum(absolute(a), absolute(b)))
        none = add(none, dead(a, b))
    levels, largest = float32(127 * 256), largest_of(most, none)
    inverse = inverse_of(levels, largest)
    store(record, largest / levels)
    for j in range(BLOCK_RUNS):
        a, b = load(f32x16, x + 128 * j), load(f32x16, x + 128 * j + 64)
        qa, qb = round_to(i32x16, mul(a, inverse)), round_to(i32x16, mul(b, inverse))
        to = cells + j // 2 * 128 + j % 2 * 32
        first, second = store_half(to, qa), store_half(to + 16, qb)
        total = sum_words(first[0] + second[0], first[1] + second[1])
        store(record + RUN_SUMS + 4 * j, total)
        store(record + HALF_SUMS + 4 * j, sum_words(first[0], first[1]))
        store(record + HALF_SUMS + 4 * (BLOCK_RUNS + j), sum_words(second[0], second[1]))


@device
def store_half(to, v):  # type: ignore[no-untyped-def]
    """Write 16 columns as tiles read them; return the sums of their high and low bytes."""
    high = high_byte(v)
    store_bytes(to, high)
    store_bytes(to + 64, v)
    return sum_all(high), sum_all(sub(v, shift_left(high, 8)))


@device
def sum_words(high, low):  # type: ignore[no-untyped-def]
    return int32(high << 16 | low & 0xFFFF)


@device
def inverse_of(levels, largest):  # type: ignore[no-untyped-def]
    """Return what numbers are multiplied by, the largest becoming `levels`; 0 if all are tiny."""
    return splat(f32x16, levels / largest if largest > TINY else float32(0))


@device
def largest_of(most, none):  # type: ignore[no-untyped-def]
    """Return the largest of a vector; NaN if there is one in `none`."""
    return max_all(most) + sum_all(none)


@device
def dead(a, b):  # type: ignore[no-untyped-def]
    """Return zeros, but NaN where a or b is NaN or infinite."""
    return fma(a, zeros(f32x16), mul(b, zeros(f32x16)))


@device
def store_wide(cells, a, b):  # type: ignore[no-untyped-def]
    """Write 32 columns of 16 bits, in the order that the target multiplies them."""
    if WORDS:
        store_words(cells, a)
        store_words(cells + 32, b)
    else:
        store_bytes(cells, high_byte(a))
        store_bytes(cells + 16, high_byte(b))
        store_bytes(cells + 32, a)
        store_bytes(cells + 48, b)


@device
def high_byte(v):  # type: ignore[no-untyped-def]
    """Return what remains of v, in units of 256, when its low byte is taken as signed."""
    return shift_right(add(v, splat(i32x16, int32(128))), 8)


@kernel
def quantize(
    x: int, stride: int, q: int, form: int, meta: int, n_columns: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Quantize rows; threads take runs of 32 columns, or blocks."""
    first, last = share_runs(n_columns, form, thread, n_threads)
    n = load(int64, count)
    for t in range(n):
        quantize_columns(x + t * stride, q, form, meta, t, first, last, n_columns, n)
