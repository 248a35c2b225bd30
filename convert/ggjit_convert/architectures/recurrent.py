"""Parameters of recurrent layers that several families have."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array
from ..transforms import computed, reshaped
from .tensors import Tensors, apply, rename

CONV1D = r"conv1d\.weight$"


def discretized(tensors: Tensors) -> Tensors:
    """Shape what turns a state over time: decays, and what is added to a step."""
    tensors = apply(tensors, r"\.A_log$", decays)
    return rename(tensors, r"\.dt_bias$", ".dt_proj.bias")


def decays(a: Array) -> Array:
    """Return what A_log stands for, -exp of it."""
    return computed(a, lambda x: -np.exp(x.astype(np.float64)), "-exp")


def taps(a: Array) -> Array:
    """Take the axis of 1 out of a convolution by channels: torch's second, MLX's last."""
    return reshaped(a, a.shape[0], math.prod(a.shape[1:]))
