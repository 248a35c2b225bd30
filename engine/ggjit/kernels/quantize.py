"""Float32 activations to integers: one scale per 32 columns, with the sums that products need.

Activations of 8 bits have one part, 32 bytes a block. Those of 16 bits have two, 256 * high + low:
a block's 32 high bytes and its 32 low ones behind them, or for targets that multiply words, words.
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
    shift_right,
    splat,
    store,
    store_bytes,
    store_words,
    sum_all,
    zeros,
)
from ..simd.types import f32x16, i32x16
from .threads import share
from .tiles import META

WORDS = in_words(True)
TINY = float32(1e-33)  # blocks below are zeros: levels / largest would overflow


@device
def quantize_columns(x, q, parts, meta, n, n_tokens):  # type: ignore[no-untyped-def]
    """Quantize n columns of one token (a multiple of 32, starting on a block).

    `meta` is where the first block's scale goes (see tiles.py).
    """
    levels = float32(127) if parts == 1 else float32(127 * 256)
    for i in range(n // 32):
        a, b = load(f32x16, x + 128 * i), load(f32x16, x + 128 * i + 64)
        largest = max_all(maximum(absolute(a), absolute(b)))
        largest += sum_all(fma(a, zeros(f32x16), mul(b, zeros(f32x16))))  # NaN if any is
        inverse = splat(f32x16, levels / largest if largest > TINY else float32(0))
        qa, qb = round_to(i32x16, mul(a, inverse)), round_to(i32x16, mul(b, inverse))
        scale, first = largest / levels, sum_all(qa)
        total = int32(first + sum_all(qb))
        cells = q + 32 * parts * i
        if parts == 2:
            store_wide(cells, qa, qb)
        else:
            store_bytes(cells, qa)
            store_bytes(cells + 16, qb)
        at = meta + META * n_tokens * i
        store(at, scale)
        store(at + 4 * n_tokens, float32(total))
        store(at + 8 * n_tokens, float32(first))


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
    x: int, stride: int, q: int, parts: int, meta: int, n_columns: int, count: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Quantize rows; threads take runs of 32 columns."""
    first, last = share(n_columns // 32, thread, n_threads)
    n = load(int64, count)
    for t in range(n):
        cells = q + parts * (t * n_columns + 32 * first)
        at = meta + META * n * first + 4 * t
        quantize_columns(x + t * stride + 128 * first, cells, parts, at, 32 * (last - first), n)
