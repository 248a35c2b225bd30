"""Moving columns of heads: within tokens' rows, and to rows sorted by head and back."""

from numba import float32, int64

from ..jit import device, kernel
from ..simd.ops import load, store
from ..simd.types import f32x16
from .threads import share


@device
def copy_columns(source, to, n):  # type: ignore[no-untyped-def]
    """Copy n float32."""
    for i in range(0, 4 * n - 63, 64):
        store(to + i, load(f32x16, source + i))
    for i in range(n // 16 * 16, n):
        store(to + 4 * i, load(float32, source + 4 * i))


@kernel
def copy_heads(
    x: int, x_stride: int, x_head: int, out: int, stride: int, out_head: int, n_heads: int,
    n_columns: int, count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Copy n columns of every head; `x_head` and `out_head` are bytes from head to head."""
    first, last = share(load(int64, count), thread, n_threads)
    for t in range(first, last):
        for h in range(n_heads):
            copy_columns(x + t * x_stride + h * x_head, out + t * stride + h * out_head, n_columns)


@kernel
def gather_heads(
    x: int, x_stride: int, x_head: int, out: int, stride: int, starts: int, counts: int,
    n_heads: int, n_columns: int, count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Bring the first columns of every head to rows sorted by head, and tell where these begin."""
    n_tokens = load(int64, count)
    if thread == 0:
        for h in range(n_heads):
            store(starts + 8 * h, h * n_tokens)
            store(counts + 8 * h, n_tokens)
        store(starts + 8 * n_heads, n_heads * n_tokens)
    first, last = share(n_heads * n_tokens, thread, n_threads)
    for row in range(first, last):
        h, t = row // n_tokens, row % n_tokens
        copy_columns(x + t * x_stride + h * x_head, out + row * stride, n_columns)


@kernel
def scatter_heads(
    x: int, x_stride: int, out: int, stride: int, out_head: int, n_heads: int, n_columns: int,
    count: int, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Bring rows sorted by head back to their tokens."""
    n_tokens = load(int64, count)
    first, last = share(n_heads * n_tokens, thread, n_threads)
    for row in range(first, last):
        h, t = row // n_tokens, row % n_tokens
        copy_columns(x + row * x_stride, out + t * stride + h * out_head, n_columns)
