"""Float32 activations to int8: one scale per 32 columns, with the sums the int8 product needs."""

from numba import float32, int64

from ..jit import device, kernel
from ..simd.ops import absolute, add, load, max_all, maximum, mul, round_to, splat, store
from ..simd.ops import store_bytes, sum_all
from ..simd.types import f32x16, i32x16
from .tiles import META
from .threads import share

TINY = float32(1e-36)  # blocks below are zeros: 127 / largest would overflow


@device
def quantize_columns(x, q, meta, n, n_tokens):  # type: ignore[no-untyped-def]
    """Quantize n columns of one token (a multiple of 32, starting on a block).

    `meta` is where the first block's scale goes (see tiles.py).
    """
    for i in range(n // 32):
        a, b = load(f32x16, x + 128 * i), load(f32x16, x + 128 * i + 64)
        largest = max_all(maximum(absolute(a), absolute(b)))
        inverse = splat(f32x16, float32(127) / largest if largest > TINY else float32(0))
        qa, qb = round_to(i32x16, mul(a, inverse)), round_to(i32x16, mul(b, inverse))
        store_bytes(q + 32 * i, qa)
        store_bytes(q + 32 * i + 16, qb)
        scale, total = largest / float32(127), sum_all(add(qa, qb))
        at = meta + META * n_tokens * i
        store(at, scale)
        store(at + 4 * n_tokens, scale * float32(total))
        store(at + 8 * n_tokens, total)


@kernel
def quantize(
    x: int, stride: int, q: int, meta: int, n_columns: int, count: int, thread: int, n_threads: int
) -> None:
    """Quantize rows; threads take runs of 32 columns."""
    first, last = share(n_columns // 32, thread, n_threads)
    n = load(int64, count)
    for t in range(n):
        to = q + t * n_columns + 32 * first
        at = meta + META * n * first + 4 * t
        quantize_columns(x + t * stride + 128 * first, to, at, 32 * (last - first), n)
