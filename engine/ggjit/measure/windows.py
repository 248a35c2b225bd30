"""A text in windows, and what a model says about the second half of each, as llama-perplexity does.

Every window starts from an empty context; where the model wants a BOS token, it takes the place of
the window's first. Only tokens after the middle are scored: those before give them a context.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..backends import Executor, Float32, State
from .divergence import Divergence, divergence, pooled
from .estimate import Float64
from .logits_file import DEPTH, LogitsFile, LogitsWriter

N_TOKENS = 128  # whose logits are in memory at once

Ids = npt.NDArray[np.int32]


def cut(ids: list[int], size: int, n_most: int | None = None) -> Ids:
    """Return as many whole windows as there are, at most `n_most`: [n, size].

    Raises: ValueError for a window too small to score, or if there is none.
    """
    if size < 3:
        raise ValueError(f"a window of {size} tokens is too small, 3 are needed")
    n = min(len(ids) // size, n_most or len(ids))
    if not n:
        raise ValueError(f"the text has {len(ids)} tokens, a window needs {size}")
    return np.array(ids[: n * size], np.int32).reshape(n, size)


def score(
    executor: Executor, windows: Ids, bos_id: int | None, writer: LogitsWriter | None = None
) -> Iterator[Float64]:
    """Yield for each window the negative log likelihoods of its scored tokens.

    What predicted them is added to `writer`.
    Raises: ValueError if logits are not finite.
    """
    state = executor.new_state()
    for window in windows:
        parts = []
        for logits, next_ids in _predictions(executor, state, window, bos_id):
            parts.append(_nll(logits, next_ids))
            if writer:
                writer.add(logits)
        yield np.concatenate(parts)


def compare(
    executor: Executor, base: LogitsFile, bos_id: int | None, n_most: int | None = None
) -> Iterator[Divergence]:
    """Yield for each window of `base`, at most `n_most`, how far the model is from what it holds.

    Raises: ValueError if it is for another vocabulary, or logits are not finite.
    """
    if base.n_vocab != executor.n_vocab:
        raise ValueError(f"{base.path} is for {base.n_vocab} tokens, not {executor.n_vocab}")
    state = executor.new_state()
    for i, window in enumerate(base.ids[:n_most]):
        parts: list[Divergence] = []
        n_done = 0
        for logits, next_ids in _predictions(executor, state, window, bos_id):
            log_probs = base.log_probs(i, n_done, len(logits))
            parts.append(divergence(log_probs, logits, next_ids, least=-DEPTH))
            n_done += len(logits)
        yield pooled(parts)


def _predictions(
    executor: Executor, state: State, window: Ids, bos_id: int | None
) -> Iterator[tuple[Float32, Ids]]:
    """Yield logits [n, n_vocab] and the ids [n] that followed, a part of the window at a time."""
    middle, end = len(window) // 2, len(window) - 1
    fed = window.copy()
    if bos_id is not None:
        fed[0] = bos_id
    state.truncate(0)
    executor.run(state, fed[:middle], "none")
    for start in range(middle, end, N_TOKENS):
        stop = min(start + N_TOKENS, end)
        logits = executor.run(state, fed[start:stop], "all")
        if not np.isfinite(logits).all():
            raise ValueError(f"the logits after token {start} of a window are not finite")
        yield logits, window[start + 1 : stop + 1]


def _nll(logits: Float32, next_ids: Ids) -> Float64:
    most = logits.max(-1, keepdims=True)
    log_sum = np.log(np.exp(logits - most).sum(-1, dtype=np.float64))
    return log_sum - (logits[np.arange(len(next_ids)), next_ids] - most[:, 0])
