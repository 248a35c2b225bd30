"""One sequence: the tokens that a state holds, and how to go on from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..backends import ContextFull, Executor, Progress
from .candidates import Float32

PIECE = 512  # tokens of a long prompt between two reports, as many as the CPU runs at a time
Ids = Sequence[int] | npt.NDArray[np.integer]


class Session:
    """A conversation's memory in the model.

    An error or an interrupt while tokens are fed leaves the session as it was before.
    """

    def __init__(self, executor: Executor) -> None:
        self.progress: Progress | None = None  # is told of tokens of prompts longer than PIECE
        self._executor = executor
        self._state = executor.new_state()
        self._ids: list[int] = []  # the state may hold fewer, where a window let go of them
        self.n_run = 0  # tokens computed so far

    def __repr__(self) -> str:
        return f"<ggjit.Session: {self.n_past} of {self.n_context} tokens>"

    @property
    def ids(self) -> list[int]:
        """The tokens it holds (a copy)."""
        return self._ids.copy()

    @property
    def n_past(self) -> int:
        """How many tokens it holds."""
        return len(self._ids)

    @property
    def n_context(self) -> int:
        """How many tokens it can hold."""
        return self._executor.n_context

    def feed(self, ids: Ids) -> Float32:
        """Append `ids` and return the logits after the last one.

        Shapes: returns [n_vocab].
        Raises: ContextFull, ValueError.
        """
        new = checked_ids(ids, self._executor.n_vocab)
        if self.n_past + len(new) > self.n_context:
            raise ContextFull(self.n_past, len(new), self.n_context)
        missing = np.array(self._ids[self._state.n_past :], np.int32)
        try:
            logits = self._run(np.concatenate([missing, new]))
        except BaseException:
            self._state.truncate(min(self._state.n_past, self.n_past))
            raise
        self.n_run += len(missing) + len(new)
        self._ids.extend(new.tolist())
        return logits[0]

    def _run(self, ids: npt.NDArray[np.int32]) -> Float32:
        """Compute all, piece by piece if somebody is told of it; return the logits of the last."""
        start = 0
        while self.progress and len(ids) - start > PIECE:
            self._executor.run(self._state, ids[start : start + PIECE], "none")
            start += PIECE
            self.progress("reading", start, len(ids))
        logits = self._executor.run(self._state, ids[start:], "last")
        if self.progress and start:
            self.progress("reading", len(ids), len(ids))
        return logits

    def resume(self, ids: Ids) -> Float32:
        """Make the session hold exactly `ids`, computing only what differs from what it holds.

        Shapes: returns the logits after the last id, [n_vocab].
        Raises: ContextFull, ValueError; the session then holds the common beginning.
        """
        new = checked_ids(ids, self._executor.n_vocab)
        if len(new) > self.n_context:
            raise ContextFull(0, len(new), self.n_context)
        self.truncate(min(self.n_common(new), len(new) - 1))  # the last id makes the logits
        return self.feed(new[self.n_past :])

    def n_common(self, ids: Ids) -> int:
        """Return how many tokens at the beginning of `ids` it holds already."""
        n = min(len(ids), self.n_past)
        differs = np.flatnonzero(np.asarray(ids[:n]) != np.asarray(self._ids[:n]))
        return int(differs[0]) if len(differs) else n

    def truncate(self, n: int) -> None:
        """Forget all but the first `n` tokens."""
        if n < self.n_past:
            del self._ids[n:]
            if n < self._state.n_past:
                self._state.truncate(n)

    def reset(self) -> None:
        """Forget everything."""
        self.truncate(0)

    def fork(self) -> Session:
        """Return another session that holds the same tokens, stored once until they part."""
        made = Session(self._executor)
        made._state, made._ids = self._state.fork(), self.ids
        return made


def checked_ids(ids: Ids, n_vocab: int) -> npt.NDArray[np.int32]:
    """Return `ids` as the array that an executor takes.

    Raises: ValueError if there are none, or for one that is no token of the model.
    """
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError("token ids must be a flat list of whole numbers")
    if not array.size:
        raise ValueError("there are no tokens: the text is empty")
    beyond = np.flatnonzero((array < 0) | (array >= n_vocab))
    if len(beyond):
        at = int(beyond[0])
        raise ValueError(f"token id {array[at]} (number {at}) is not in 0 to {n_vocab - 1}")
    return array.astype(np.int32)
