"""The samplers as their definitions read, in plain Python: the oracle."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ggjit.generate import SamplingOptions


def probabilities(logits, temperature=1.0):
    top = max(logits.values())
    weights = {id: math.exp((x - top) / temperature) for id, x in logits.items()}
    total = sum(weights.values())
    return {id: w / total for id, w in weights.items()}


def penalised(logits, options: SamplingOptions, recent):
    n = options.repeat_last_n
    counts = Counter(recent[-n:] if n > 0 else recent if n < 0 else [])
    result = {}
    for id, x in logits.items():
        if id in counts:
            x = x / options.repeat_penalty if x > 0 else x * options.repeat_penalty
            x -= counts[id] * options.frequency_penalty + options.presence_penalty
        result[id] = x
    return result


def first_until(order, p, reached):
    kept, total = [], 0.0
    for id in order:
        kept.append(id)
        total += p[id]
        if reached(total):
            break
    return kept


def distribution(logits: np.ndarray, options: SamplingOptions, recent=()) -> dict[int, float]:
    """Return each token's probability of being drawn."""
    left = {i: float(x) + options.logit_bias.get(i, 0.0) for i, x in enumerate(logits)}
    left = penalised(left, options, list(recent))
    order = sorted(left, key=lambda id: (-left[id], id))
    if options.top_k > 0:
        order = order[: options.top_k]
    left = {id: left[id] for id in order if left[id] > -math.inf}
    if options.typical_p < 1:
        p = probabilities(left)
        entropy = -sum(q * math.log(q) for q in p.values())
        distance = {id: abs(-math.log(q) - entropy) for id, q in p.items()}
        nearest = sorted(left, key=distance.__getitem__)
        kept = first_until(nearest, p, lambda total: total > options.typical_p)
        left = {id: x for id, x in left.items() if id in kept}
    if options.top_p < 1:
        p = probabilities(left)
        left = {id: left[id] for id in first_until(left, p, lambda total: total >= options.top_p)}
    if options.min_p > 0:
        p = probabilities(left)
        least = options.min_p * max(p.values())
        left = {id: x for id, x in left.items() if p[id] >= least}
    return probabilities(left, options.temperature)
