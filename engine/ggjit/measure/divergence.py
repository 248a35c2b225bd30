"""How far one model's predictions are from another's, token by token.

The figures are those of llama-perplexity --kl-divergence (llama.cpp
tools/perplexity/perplexity.cpp): KL divergence of all probabilities, and `delta_p`, by how much the
probability of the token that did follow changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ..backends import Float32
from .estimate import Estimate, Float64, mean

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Divergence:
    """What is known of each position."""

    kl: Float64  # divergence from the base, in nats
    same_top: Float64  # 1 where the likeliest token is the same, else 0
    nll: Float64  # negative log likelihood of the token that did follow
    base_nll: Float64

    @property
    def mean_kl(self) -> Estimate:
        return mean(self.kl)

    @property
    def same_top_share(self) -> Estimate:
        return mean(self.same_top)

    @property
    def perplexity(self) -> Estimate:
        return mean(self.nll).exp()

    @property
    def base_perplexity(self) -> Estimate:
        return mean(self.base_nll).exp()

    @property
    def log_ratio(self) -> Estimate:
        """The logarithm of perplexity / base_perplexity."""
        return mean(self.nll - self.base_nll)

    @property
    def difference(self) -> Estimate:
        """What perplexity is above base_perplexity."""
        ours, base = self.perplexity.value, self.base_perplexity.value
        return Estimate(ours - base, mean(ours * self.nll - base * self.base_nll).error)

    @property
    def correlation(self) -> float:
        """How the two negative log likelihoods go together; 1 where one never changes."""
        if not (self.nll.std() and self.base_nll.std()):
            return 1.0
        return float(np.corrcoef(self.nll, self.base_nll)[0, 1])

    @property
    def delta_p(self) -> Float64:
        return np.exp(-self.nll) - np.exp(-self.base_nll)

    @property
    def rms_delta_p(self) -> Estimate:
        return mean(self.delta_p**2).sqrt()


def divergence(
    base_log_p: Iterable[npt.NDArray[np.floating]],
    logits: Float32,
    next_ids: Ids,
    least: float = -np.inf,
) -> Divergence:
    """Compare the base's log probabilities, rows of [n_vocab], with logits [n, n_vocab].

    All are finite. `next_ids` [n] are the tokens that did follow. Those tokens whose base log
    probability is not above `least` are left out of the KL divergence.
    """
    found = Divergence(*np.empty((4, len(logits))))
    for i, (base, row, id) in enumerate(zip(base_log_p, logits, next_ids, strict=True)):
        log_p, log_q = base.astype(np.float64), log_softmax(row)
        found.nll[i], found.base_nll[i] = -log_q[id], -log_p[id]
        found.same_top[i] = log_p.argmax() == row.argmax()
        p = np.exp(log_p)
        p *= log_p > least
        log_p -= log_q
        p *= log_p
        found.kl[i] = p.sum()
    return found


def log_softmax(logits: Float32) -> Float64:
    """Return log probabilities over the last axis, in float64."""
    x = logits.astype(np.float64)
    x -= x.max(-1, keepdims=True)
    x -= np.log(np.exp(x).sum(-1, keepdims=True))
    return x


def pooled(parts: Sequence[Divergence]) -> Divergence:
    """Put the positions of several passages together."""
    columns = ([getattr(part, f.name) for part in parts] for f in fields(Divergence))
    return Divergence(*map(np.concatenate, columns))
