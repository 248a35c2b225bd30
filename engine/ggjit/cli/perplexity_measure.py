"""The measurements of `ggjit perplexity`, with a line about how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import numpy as np

from ..generate import Model
from ..measure import Divergence, LogitsFile, LogitsWriter, compare, cut, mean, pooled, score
from ..measure.estimate import Estimate, Float64
from .status import show_status

Part = TypeVar("Part")


@dataclass(frozen=True)
class Figures:
    """What was found in windows [n, size]; `nll` of each token that was scored."""

    shape: tuple[int, ...]
    seconds: float
    nll: Float64
    divergence: Divergence | None = None

    @property
    def perplexity(self) -> Estimate:
        return mean(self.nll).exp()


def scored(
    model: Model, text: str, size: int, n_most: int | None, save_logits: str | None
) -> Figures:
    """Measure the perplexity of a text, and keep the predictions if a file for them is named."""
    windows = cut(_encoded(model, text), size, n_most)
    writer = LogitsWriter(save_logits, windows, model.n_vocab) if save_logits else None
    started = perf_counter()
    with writer or nullcontext():
        parts = score(model.executor, windows, _bos(model), writer)
        nll = _watched(parts, len(windows), lambda part: part)
    return Figures(windows.shape, perf_counter() - started, np.concatenate(nll))


def compared(model: Model, base: LogitsFile, text: str | None, n_most: int | None) -> Figures:
    """Measure the divergence from what is kept in a file, and check that it is about `text`."""
    if text is not None:
        windows = cut(_encoded(model, text), base.ids.shape[1], len(base.ids))
        if not np.array_equal(windows, base.ids):
            raise ValueError(f"{base.path} was made from another text, or with other tokens")
    windows = base.ids[:n_most]
    started = perf_counter()
    parts = compare(model.executor, base, _bos(model), n_most)
    found = pooled(_watched(parts, len(windows), lambda part: part.nll))
    return Figures(windows.shape, perf_counter() - started, found.nll, found)


def _encoded(model: Model, text: str) -> list[int]:
    return model.tokenizer.encode(text, bos=model.tokenizer.add_bos)


def _bos(model: Model) -> int | None:
    return model.tokenizer.bos_id if model.tokenizer.add_bos else None


def _watched(parts: Iterable[Part], n: int, nll: Callable[[Part], Float64]) -> list[Part]:
    """Return the parts; after each, say on a terminal what is known so far."""
    found: list[Part] = []
    started = perf_counter()
    show_status(f"window 1/{n}")
    try:
        for part in parts:
            found.append(part)
            ppl = mean(np.concatenate([nll(p) for p in found])).exp()
            left_s = (perf_counter() - started) / len(found) * (n - len(found))
            value = f"perplexity {ppl.value:.4f} ± {ppl.error:.4f}"
            show_status(f"window {len(found)}/{n}: {value}, {left_s:.0f} s left")
    finally:
        show_status("")
    return found
