"""How far one model's predictions are from another's, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

HEADER = ("mean KL", "median", "99 %", "max", "same top token")


@dataclass(frozen=True)
class Divergence:
    """Over many positions: KL divergences in nats, and whether the likeliest token is the same."""

    kl: Float64
    same_top: npt.NDArray[np.bool_]

    @property
    def mean(self) -> float:
        return float(self.kl.mean())

    def cells(self) -> list[str]:
        """Return the columns of HEADER."""
        kl = (self.mean, np.median(self.kl), np.quantile(self.kl, 0.99), self.kl.max())
        return [*(f"{value:.2e}" for value in kl), f"{self.same_top.mean():.2%}"]

    def record(self) -> dict[str, float | int]:
        """Return the same figures as numbers."""
        return {
            "n_positions": len(self.kl),
            "mean": self.mean,
            "median": float(np.median(self.kl)),
            "q99": float(np.quantile(self.kl, 0.99)),
            "max": float(self.kl.max()),
            "same_top": float(self.same_top.mean()),
        }


def divergence(reference: Float32, other: Float32) -> Divergence:
    """Compare logits [n, n_vocab]: sum of p * (log p - log q) with p from `reference`."""
    kl = np.empty(len(reference))
    for i, (p_row, q_row) in enumerate(zip(reference, other, strict=True)):
        log_p, log_q = log_softmax(p_row), log_softmax(q_row)
        kl[i] = np.sum(np.exp(log_p) * (log_p - log_q))
    return Divergence(kl, reference.argmax(-1) == other.argmax(-1))


def log_softmax(logits: Float32) -> Float64:
    """Return log probabilities in float64."""
    x = logits.astype(np.float64)
    x -= x.max()
    return x - np.log(np.exp(x).sum())


def pooled(parts: Sequence[Divergence]) -> Divergence:
    """Put the positions of several passages together."""
    return Divergence(
        np.concatenate([p.kl for p in parts]), np.concatenate([p.same_top for p in parts])
    )
