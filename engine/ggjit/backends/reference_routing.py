"""Choosing experts in plain NumPy.

Which rule a model follows is in its file in `models`; they are those of DeepSeek-V2 and V3
(arXiv:2405.04434, arXiv:2412.19437), Mixtral (arXiv:2401.04088) and gpt-oss.
"""

from __future__ import annotations

import numpy as np

from ..graph import Routing
from . import Float32

LEAST = np.float32(1e-20)  # added to sums, so that scores that are all 0 stay so


def routes_of(logits: Float32, routing: Routing, bias: Float32 | None) -> Float32:
    """Return what `Route` describes. Shapes: logits [T, E], returns [T, 2 * n_used]."""
    scores = scores_of(logits, routing.score)
    by = scores if bias is None else scores + bias
    if routing.n_groups > 1:
        by = only_best_groups(by, routing)
    experts = best(by, routing.n_used)
    weights = np.take_along_axis(scores, experts, axis=1)
    if routing.score == "chosen":
        weights = scores_of(weights, "softmax")
    if routing.normalize:
        weights = weights / (weights.sum(axis=1, keepdims=True) + LEAST)
    return np.concatenate([experts, weights * np.float32(routing.scale)], axis=1, dtype=np.float32)


def scores_of(logits: Float32, kind: str) -> Float32:
    """Return the softmax or sigmoid of rows; of any other kind the logits themselves."""
    if kind == "sigmoid":
        return (1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -700, 700)))).astype(np.float32)
    if kind == "softmax":
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (e / e.sum(axis=1, keepdims=True)).astype(np.float32)
    return logits


def best(scores: Float32, n: int) -> np.ndarray:
    """Return the columns of each row's n largest, the largest first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :n]


def only_best_groups(scores: Float32, routing: Routing) -> Float32:
    """Put all groups but the best of each row at minus infinity."""
    groups = scores.reshape(len(scores), routing.n_groups, -1)
    sums = np.sort(groups, axis=2)[:, :, -routing.n_best :].sum(axis=2)
    kept = np.zeros(sums.shape, bool)
    np.put_along_axis(kept, best(sums, routing.n_groups_used), True, axis=1)
    return np.where(kept[:, :, None], groups, -np.inf).reshape(scores.shape)
