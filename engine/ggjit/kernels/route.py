"""From a router's logits to each token's experts, and to each expert's tokens.

Routes are rows of float32: the numbers of the chosen experts, and behind them their weights.
"""

from numba import float32, int64

from ..jit import device, kernel
from ..simd.ops import add, div, load, max_all, maximum, splat, store, sub, sum_all, zeros
from ..simd.types import f32x16
from .exponential import exp
from .threads import share

SCORES = ("softmax", "sigmoid", "chosen")  # an operand holds the place in this list
SOFTMAX, SIGMOID, CHOSEN = range(3)
NOTHING = float32(-3.0e38)  # below every score
LEAST = float32(1e-20)  # added to sums, so that scores that are all 0 stay so


def scratch_bytes(n_experts: int) -> int:
    """Bytes each thread needs: scores, what is chosen by, and sums of groups."""
    return 3 * 4 * (n_experts + 15) // 16 * 16 + 192


@device
def softmax(x, n):  # type: ignore[no-untyped-def]
    """Make n numbers their softmax; behind them there is room up to 16."""
    for i in range(n, (n + 15) // 16 * 16):
        store(x + 4 * i, NOTHING)
    top, total = splat(f32x16, NOTHING), zeros(f32x16)
    for i in range(0, 4 * n, 64):
        top = maximum(top, load(f32x16, x + i))
    top = splat(f32x16, max_all(top))
    for i in range(0, 4 * n, 64):
        e = exp(sub(load(f32x16, x + i), top))
        store(x + i, e)
        total = add(total, e)
    whole = splat(f32x16, sum_all(total))
    for i in range(0, 4 * n, 64):
        store(x + i, div(load(f32x16, x + i), whole))


@device
def sigmoid(x, n):  # type: ignore[no-untyped-def]
    one = splat(f32x16, float32(1))
    for i in range(0, 4 * n, 64):
        store(x + i, div(one, add(one, exp(sub(zeros(f32x16), load(f32x16, x + i))))))


@device
def largest(x, n):  # type: ignore[no-untyped-def]
    """Return the place of the first of the largest of n numbers."""
    place, most = int64(0), load(float32, x)
    for i in range(1, n):
        value = load(float32, x + 4 * i)
        if value > most:
            place, most = int64(i), value
    return place


@device
def sum_of_best(x, n, n_best):  # type: ignore[no-untyped-def]
    """Return the sum of the largest one or two of n numbers."""
    most, second = NOTHING, NOTHING
    for i in range(n):
        value = load(float32, x + 4 * i)
        if value > most:
            most, second = value, most
        elif value > second:
            second = value
    return most + second if n_best == 2 and n > 1 else most


@device
def keep_best_groups(by, sums, n_experts, n_groups, n_kept, n_best):  # type: ignore[no-untyped-def]
    """Leave NOTHING of the experts in all groups but the best."""
    size = n_experts // n_groups
    for g in range(n_groups):
        store(sums + 4 * g, sum_of_best(by + 4 * g * size, size, n_best))
    for _ in range(n_groups - n_kept):  # of equal groups the last is the first to go
        worst = int64(0)
        for g in range(n_groups):
            value, least = load(float32, sums + 4 * g), load(float32, sums + 4 * worst)
            if value <= least:
                worst = int64(g)
        store(sums + 4 * worst, -NOTHING)
        for i in range(worst * size, worst * size + size):
            store(by + 4 * i, NOTHING)


@kernel
def route(
    logits: int,
    stride: int,
    out: int,
    out_stride: int,
    bias: int,
    n_experts: int,
    n_used: int,
    score: int,
    normalize: int,
    scale: float,
    n_groups: int,
    n_groups_used: int,
    n_best: int,
    scratch: int,
    scratch_step: int,
    count: int,
    thread: int,
    n_threads: int,
) -> None:
    """Choose each token's experts; of equal ones the first."""
    first, last = share(load(int64, count), thread, n_threads)
    scores, padded = scratch + thread * scratch_step, (n_experts + 15) // 16 * 64
    by, sums = scores + padded, scores + 2 * padded
    for t in range(first, last):
        for i in range(0, padded, 64):
            store(scores + i, load(f32x16, logits + t * stride + i))
        if score == SOFTMAX:
            softmax(scores, n_experts)
        if score == SIGMOID:
            sigmoid(scores, n_experts)
        for i in range(0, padded, 64):
            added = load(f32x16, bias + i) if bias != 0 else zeros(f32x16)
            store(by + i, add(load(f32x16, scores + i), added))
        if n_groups > 1:
            keep_best_groups(by, sums, n_experts, n_groups, n_groups_used, n_best)
        chosen, weights = out + t * out_stride, out + t * out_stride + 4 * n_used
        for s in range(n_used):
            expert = largest(by, n_experts)
            store(chosen + 4 * s, float32(expert))
            store(sums + 4 * s, load(float32, scores + 4 * expert))
            store(by + 4 * expert, NOTHING)
        if score == CHOSEN:
            softmax(sums, n_used)
        total = float32(1)
        if normalize != 0:
            total = LEAST
            for s in range(n_used):
                total += load(float32, sums + 4 * s)
        for s in range(n_used):
            store(weights + 4 * s, load(float32, sums + 4 * s) / total * scale)


@kernel
def group_tokens(
    routes: int,
    routes_stride: int,
    n_experts: int,
    n_used: int,
    starts: int,
    counts: int,
    tokens: int,
    weights: int,
    places: int,
    count: int,
    thread: int,
    n_threads: int,
) -> None:
    """Sort (token, expert) pairs by expert; thread 0 does it all.

    Leaves per expert its `starts` (and behind the last) and `counts`, per sorted row its `tokens`
    and `weights`, and per pair its `places` among the sorted rows. All are int64 but weights.
    """
    if thread != 0:
        return
    n_tokens = load(int64, count)
    for e in range(n_experts):
        store(counts + 8 * e, int64(0))
    for t in range(n_tokens):
        for s in range(n_used):
            at = counts + 8 * int64(load(float32, routes + t * routes_stride + 4 * s))
            store(at, load(int64, at) + 1)
    start = int64(0)
    for e in range(n_experts):
        store(starts + 8 * e, start)
        start += load(int64, counts + 8 * e)
        store(counts + 8 * e, int64(0))
    store(starts + 8 * n_experts, start)
    for t in range(n_tokens):
        for s in range(n_used):
            at = routes + t * routes_stride + 4 * s
            expert = int64(load(float32, at))
            n = load(int64, counts + 8 * expert)
            row = load(int64, starts + 8 * expert) + n
            store(counts + 8 * expert, n + 1)
            store(tokens + 8 * row, int64(t))
            store(weights + 4 * row, load(float32, at + 4 * n_used))
            store(places + 8 * (t * n_used + s), row)
