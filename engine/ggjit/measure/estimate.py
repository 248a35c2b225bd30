"""Means with their standard errors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    error: float

    def exp(self) -> Estimate:
        """Return e to the power of it: a mean of negative log likelihoods as a perplexity."""
        value = math.exp(self.value)
        return Estimate(value, value * self.error)

    def sqrt(self) -> Estimate:
        """Return its square root: a mean square as its root."""
        root = math.sqrt(self.value)
        return Estimate(root, self.error / (2 * root) if root else 0.0)


def mean(values: npt.NDArray[Any]) -> Estimate:
    """Return the mean over values that are taken as independent."""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(float(values.mean()), float(error))
