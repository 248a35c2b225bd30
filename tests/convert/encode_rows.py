"""Rows to encode: ordinary ones and stumbling blocks, the same always (no generator)."""

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
