"""Rows to encode: ordinary ones and stumbling blocks, the same with every version of NumPy."""

import numpy as np


def bell(n, seed=0):
    """Numbers of about one, in no order, few of them large. Shapes: float32 [n]."""
    k = np.arange(n, dtype=np.int64) + 10_007 * seed
    parts = [(k * k * p + k * q) % 1009 / 504.0 - 1 for p, q in ((3, 7), (5, 11), (13, 101))]
    return sum(parts).astype(np.float32)


def edge_rows(n):
    """Return rows by what is special. Shapes: float32 [n] each."""
    x = bell(n)
    huge, ties = x.copy(), np.round(8 * x) / np.float32(2)
    huge[n // 3] = -3000
    return {
        "ordinary": x,
        "small": x * np.float32(0.02),
        "zeros": np.zeros(n, np.float32),
        "constant": np.full(n, -0.3, np.float32),
        "positive": np.abs(x) + np.float32(0.5),
        "negative": -np.abs(x) - np.float32(0.5),
        "one huge": huge,
        "one only": np.where(np.arange(n) == n // 2, x, 0).astype(np.float32),
        "ties": ties,
        "denormal": x * np.float32(1e-40),
        "tiny": x * np.float32(1e-37),
    }


def stacked(n):
    """Shapes: float32 [n_edge_rows, n]."""
    return np.stack(list(edge_rows(n).values()))


def uniform(shape, seed):
    """Numbers of -1 to 1 from raw bits, which no version of NumPy changes."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape))).reshape(shape)
    return (bits >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1


def matrix(n_rows, n):
    """Return bell-shaped rows of many sizes with a few large columns. Shapes: [n_rows, n]."""
    rows = sum(uniform((n_rows, n), seed) for seed in range(4)) * 0.02
    sizes, columns = 4 ** uniform((n_rows, 1), 5), 1 + 3 * (uniform(n, 6) > 0.9)
    return (rows * sizes * columns).astype(np.float32)


def importance_of(n):
    """Return how much columns count: few of them much. Shapes: float32 [n]."""
    return (uniform(n, 7) ** 4 + 0.01).astype(np.float32)


def relative_error(fmt, made, rows, importance=None):
    """Return the squared error of bytes, weighted, as a part of the weighted squares of rows."""
    w = 1 if importance is None else importance.astype(np.float64)
    apart = fmt.decode_rows(made.reshape(-1), rows.shape[1]).astype(np.float64) - rows
    return float((w * apart**2).sum() / (w * rows.astype(np.float64) ** 2).sum())
