"""e to the x."""

import numpy as np
from compiled import compiled, results

from ggjit.kernels.exponential import exp
from ggjit.simd.ops import load, store
from ggjit.simd.types import f32x16


@compiled
def exp_of_each(x: int, n: int, out: int, thread: int, n_threads: int) -> None:
    for i in range(0, 4 * n, 64):
        store(out + i, exp(load(f32x16, x + i)))


def exp_of(x):
    x = np.asarray(x, np.float32)
    filled = np.pad(x, (0, -len(x) % 16))
    return results(exp_of_each, len(filled), np.float32, x=filled, n=len(filled))[: len(x)]


def test_within_one_unit_in_the_last_place(rng):
    x = np.concatenate([rng.uniform(-87, 88.3, 400_000), rng.uniform(-1, 1, 100_000)])
    x = np.concatenate([x, 10.0 ** rng.uniform(-30, 0, 10_000), [-87, 88.3]]).astype(np.float32)
    wanted = np.exp(x.astype(np.float64))
    error = np.abs(exp_of(x) - wanted) / np.spacing(wanted.astype(np.float32))
    assert error.max() < 1


def test_exact_where_softmax_needs_it():
    assert exp_of([0, -0.0]).tolist() == [1, 1]
    assert exp_of([-87.01, -88, -1000, -3e38, -np.inf]).tolist() == [0, 0, 0, 0, 0]
    assert np.all(exp_of([89, 1000, 3e38, np.inf]) > 2e38)


def test_never_decreasing(rng):
    """Where the reduction changes its multiple of ln 2, too."""
    edges = (np.arange(-125, 128) + 0.5) * np.log(2)
    x = np.sort(np.concatenate([edges + d for d in np.linspace(-1e-4, 1e-4, 41)])).astype(
        np.float32
    )
    got = exp_of(x).astype(np.float64)
    assert np.all(got[1:] >= got[:-1] * (1 - 2.0**-22))
