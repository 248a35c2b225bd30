"""How far one model's logits are from another's, as cells and records of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ggjit.measure import Divergence, divergence, log_softmax

Float32 = npt.NDArray[np.float32]

HEADER = ("mean KL", "median", "99 %", "max", "same top token")


def apart(exact: Float32, other: Float32, ids: npt.NDArray[np.int32]) -> Divergence:
    """Compare logits after each of `ids`, [n, n_vocab], but for the last: nothing follows it."""
    return divergence(map(log_softmax, exact[:-1]), other[:-1], ids[1:])


def cells(found: Divergence) -> list[str]:
    """Return the columns of HEADER."""
    kl = (found.kl.mean(), np.median(found.kl), np.quantile(found.kl, 0.99), found.kl.max())
    return [*(f"{value:.2e}" for value in kl), f"{found.same_top.mean():.2%}"]


def record(found: Divergence) -> dict[str, Any]:
    """Return the same figures as numbers."""
    return {
        "n_positions": len(found.kl),
        "mean": found.mean_kl.value,
        "mean_error": found.mean_kl.error,
        "median": float(np.median(found.kl)),
        "q99": float(np.quantile(found.kl, 0.99)),
        "max": float(found.kl.max()),
        "same_top": found.same_top_share.value,
    }
