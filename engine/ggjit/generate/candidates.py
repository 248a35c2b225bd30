"""The tokens still in the draw, and the filters that narrow them, as llama.cpp defines each.

Every filter keeps at least one token. Probabilities are computed in float64.
Source: llama.cpp src/llama-sampler.cpp; typical sampling is arXiv 2202.00666, min-p 2407.01082.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
GROUP = 128  # logits per group in the search for the k largest


class Candidates(NamedTuple):
    """Token ids and their logits, the largest first; of equal logits the lower id first."""

    ids: npt.NDArray[np.int64]
    logits: Float64

    def pick(self, which: slice | npt.NDArray[np.bool_]) -> Candidates:
        """Return the candidates that a slice or a mask selects."""
        return Candidates(self.ids[which], self.logits[which])

    def probabilities(self, temperature: float = 1.0) -> Float64:
        """Return softmax(logits / temperature)."""
        weights = np.exp((self.logits - self.logits[0]) / temperature)
        return np.asarray(weights / weights.sum())


def top_k(logits: Float32, k: int) -> Candidates:
    """Sort the `k` largest logits out; k < 1 takes all. Tokens at -inf are left out."""
    k = k if 0 < k < len(logits) else len(logits)
    ids = np.flatnonzero(logits >= _reached_by(logits, k))
    order = np.argsort(-logits[ids], kind="stable")[:k]
    ids = ids[order]
    chosen = Candidates(ids, logits[ids].astype(np.float64))
    return chosen.pick(chosen.logits > -np.inf)


def _reached_by(logits: Float32, k: int) -> np.float32:
    """Return a value that at least `k` logits reach, and hardly more.

    The k-th largest of the groups' maxima is one: faster to find than the k-th largest logit.
    """
    n_groups = len(logits) // GROUP
    if k == len(logits):
        return np.float32(-np.inf)
    if n_groups < 2 * k:
        return np.float32(np.partition(logits, -k)[-k])
    maxima = logits[: n_groups * GROUP].reshape(GROUP, n_groups).max(axis=0)
    return np.float32(np.partition(maxima, -k)[-k])


def typical_p(candidates: Candidates, p: float) -> Candidates:
    """Keep the tokens whose surprise is nearest the expected one, until they sum to over `p`."""
    if p >= 1:
        return candidates
    probabilities = candidates.probabilities()
    surprise = -np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    distance = np.abs(surprise - probabilities @ surprise)
    order = np.argsort(distance, kind="stable")
    n_kept = 1 + int(np.count_nonzero(np.cumsum(probabilities[order]) <= p))
    kept = np.zeros(len(order), np.bool_)
    kept[order[:n_kept]] = True
    return candidates.pick(kept)


def top_p(candidates: Candidates, p: float) -> Candidates:
    """Keep the likeliest tokens until they sum to `p` or more."""
    if p >= 1:
        return candidates
    n_kept = 1 + int(np.count_nonzero(np.cumsum(candidates.probabilities()) < p))
    return candidates.pick(slice(n_kept))


def min_p(candidates: Candidates, p: float) -> Candidates:
    """Keep the tokens at least `p` times as likely as the likeliest."""
    if p <= 0:
        return candidates
    return candidates.pick(candidates.logits >= candidates.logits[0] + np.log(p))
