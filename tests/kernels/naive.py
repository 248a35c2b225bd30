"""The oracle: what every kernel means, in float64 and a few obvious lines of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]


def rms_norm(x: Floats, weight: Floats, eps: float) -> Floats:
    x = x.astype(np.float64)
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps) * weight


def layer_norm(x: Floats, weight: Floats, bias: Floats | float, eps: float) -> Floats:
    x = x.astype(np.float64)
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps) * weight + bias


def gelu(x: Floats) -> Floats:
    x = x.astype(np.float64)
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def silu_mul(gate: Floats, up: Floats) -> Floats:
    gate = gate.astype(np.float64)
    return gate / (1 + np.exp(-gate)) * up


def linear(
    x: Floats, w: Floats, bias: Floats | None = None, residual: Floats | None = None
) -> Floats:
    out = x.astype(np.float64) @ w.astype(np.float64).T
    out = out if bias is None else out + bias
    return out if residual is None else out + residual


def linear_size(x: Floats, w: Floats, *added: Floats | None) -> Floats:
    """What rounding errors of `linear` are measured against: the sum of the terms' sizes."""
    return linear(np.abs(x), np.abs(w), *(None if a is None else np.abs(a) for a in added))


def rope(
    x: Floats, positions: Floats, frequencies: Floats, n_heads: int, interleaved: bool
) -> Floats:
    """Multiply the pairs, as complex numbers, by e to the i * position * frequency."""
    n = len(frequencies)
    heads = x.astype(np.float64).reshape(len(x), n_heads, -1)
    first, second = heads[..., :n], heads[..., n : 2 * n]
    if interleaved:
        first, second = heads[..., 0 : 2 * n : 2], heads[..., 1 : 2 * n : 2]
    turned = (first + 1j * second) * np.exp(1j * np.outer(positions, frequencies))[:, None]
    out = heads.copy()
    if interleaved:
        out[..., 0 : 2 * n : 2], out[..., 1 : 2 * n : 2] = turned.real, turned.imag
    else:
        out[..., :n], out[..., n : 2 * n] = turned.real, turned.imag
    return out.reshape(x.shape)


def attention(
    q: Floats, k: Floats, v: Floats, positions: Floats, scale: float, window: int | None = None,
    cap: float = 0, sinks: Floats | None = None,
) -> Floats:  # fmt: skip
    """Shapes: q [T, H, D], k [S, K, D], v [S, K, E], sinks [H]; returns [T, H, E]."""
    group = q.shape[1] // k.shape[1]
    out = np.zeros((*q.shape[:2], v.shape[2]))
    for t, position in enumerate(positions):
        seen = slice(max(0, position + 1 - window) if window else 0, position + 1)
        for h in range(q.shape[1]):
            scores = scale * (k[seen, h // group].astype(np.float64) @ q[t, h])
            scores = cap * np.tanh(scores / cap) if cap else scores
            most = max(scores.max(), -np.inf if sinks is None else sinks[h])
            weights = np.exp(scores - most)
            rest = 0 if sinks is None else np.exp(np.float64(sinks[h]) - most)
            out[t, h] = weights @ v[seen, h // group] / (weights.sum() + rest)
    return out


def unpack(
    packed: Floats, block: list[tuple[int, int, int, int]], n_rows: int, n_blocks: int
) -> Floats:
    """Undo `pack`: GGML blocks [n_rows, n_blocks, bytes] from lanes.

    `block` lists the items (offset, size, count, flip) of a GGML block.
    """
    n_bytes = sum(size * count for _, size, count, _ in block)
    n_groups = (n_rows + 15) // 16
    lanes = packed.reshape(n_groups, n_blocks, 16 * n_bytes)
    out = np.zeros((n_groups, 16, n_blocks, n_bytes), np.uint8)
    at = 0
    for offset, size, count, flip in block:
        mask = np.frombuffer(flip.to_bytes(size, "little"), np.uint8)
        for i in range(count):
            items = lanes[:, :, at : at + 16 * size].reshape(n_groups, n_blocks, 16, size)
            where = slice(offset + i * size, offset + (i + 1) * size)
            out[..., where] = items.transpose(0, 2, 1, 3) ^ mask
            at += 16 * size
    return out.reshape(16 * n_groups, n_blocks, n_bytes)
