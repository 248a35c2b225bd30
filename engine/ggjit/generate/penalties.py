"""Logits made smaller for tokens that were there already, and biases of single tokens.

Source: llama.cpp src/llama-sampler.cpp (penalties, logit_bias).
"""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

from .candidates import Float32
from .options import SamplingOptions


class Penalties:
    """Counts the last tokens and changes their logits."""

    def __init__(self, options: SamplingOptions) -> None:
        self._options = options
        n = options.repeat_last_n
        self._recent: deque[int] = deque(maxlen=None if n < 0 else n)
        self._counts: Counter[int] = Counter()

    def accept(self, id: int) -> None:
        """Count one more token, and forget the one that is now too long ago."""
        if not self._options.penalises:
            return
        if len(self._recent) == self._recent.maxlen:
            oldest = self._recent[0]
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
        self._recent.append(id)
        self._counts[id] += 1

    def apply(self, logits: Float32) -> None:
        """Change `logits` in place: repeat penalty first, then frequency and presence."""
        if not self._counts:
            return
        options, n = self._options, len(self._counts)
        ids = np.fromiter(self._counts.keys(), np.int64, n)
        counts = np.fromiter(self._counts.values(), np.float32, n)
        seen = logits[ids]
        # dividing a negative logit would make the token likelier
        seen = np.where(seen > 0, seen / options.repeat_penalty, seen * options.repeat_penalty)
        logits[ids] = seen - (counts * options.frequency_penalty + options.presence_penalty)


def add_bias(logits: Float32, options: SamplingOptions) -> None:
    """Add the options' biases to `logits` in place."""
    for id, bias in options.logit_bias.items():
        logits[id] += bias
