"""Replies to several prompts, made side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from time import perf_counter

import numpy as np

from ..backends import BatchPart, Executor, State
from .prompts import read_beginning, read_prompts
from .reply import GenerationStats, Reply


class BatchGeneration(Iterator[tuple[int, str]]):
    """Yields (number of the prompt, text) as the pieces of the replies are known.

    `replies` follow along; each is what its prompt alone would get. A reply for which there is no
    more room ends with "context", the others go on. `stats` counts all of them together.
    """

    def __init__(self, executor: Executor, replies: Sequence[Reply], n_together: int) -> None:
        """Prepare the replies, at most `n_together` at a time; nothing is computed yet."""
        self.replies, self.stats = list(replies), GenerationStats(n_context=executor.n_context)
        self._executor, self._n_together = executor, n_together
        self._prompts = [np.array(reply.prompt, np.int32) for reply in replies]
        self._waiting = deque(i for i, reply in enumerate(replies) if not reply.ending)
        self._states: dict[int, State] = {}
        self._pieces = self._run()

    def __next__(self) -> tuple[int, str]:
        return next(self._pieces)

    def close(self) -> None:
        """End all replies where they are."""
        self._pieces.close()
        self._states.clear()

    def finish(self) -> list[Reply]:
        """Make what is left, and return the replies in the order of their prompts."""
        for _ in self:
            pass
        return self.replies

    def _run(self) -> Generator[tuple[int, str], None, None]:
        beginning = self._read_beginning()
        while self._waiting or self._states:
            n_free = self._n_together - len(self._states)
            new = [self._waiting.popleft() for _ in range(min(n_free, len(self._waiting)))]
            yield from self._admit(new, beginning)
            yield from self._decode()

    def _read_beginning(self) -> State:
        started = perf_counter()
        state = read_beginning(self._executor, [self._prompts[i] for i in self._waiting])
        self.stats.n_prompt += state.n_past
        self.stats.prompt_s += perf_counter() - started
        return state

    def _admit(self, new: list[int], beginning: State) -> Iterator[tuple[int, str]]:
        """Read prompts and choose the first token of each reply."""
        if not new:
            return
        started = perf_counter()
        done = read_prompts(self._executor, beginning, [self._prompts[i] for i in new])
        took = perf_counter() - started
        self.stats.prompt_s += took
        for i, read in zip(new, done, strict=True):
            reply, self._states[i] = self.replies[i], read.state
            reply.stats.n_context, reply.stats.n_past = self.stats.n_context, read.state.n_past
            reply.stats.n_prompt, reply.stats.prompt_s = read.n_run, took
            reply.stats.n_reused = len(reply.prompt) - read.n_run
            self.stats.n_prompt += read.n_run
            reply.accept_prompt()
        yield from self._extend({i: read.logits for i, read in zip(new, done, strict=True)})

    def _decode(self) -> Iterator[tuple[int, str]]:
        """Run one more token of every reply that goes on."""
        full = [i for i, s in self._states.items() if s.n_past == self._executor.n_context]
        for i in full:
            del self._states[i]
            if text := self.replies[i].end("context"):
                yield i, text
        if not self._states:
            return
        started = perf_counter()
        last = {i: np.array(self.replies[i].ids[-1:], np.int32) for i in self._states}
        parts: list[BatchPart] = [(state, last[i], "last") for i, state in self._states.items()]
        logits = self._executor.run_batch(parts)
        took = perf_counter() - started
        for i, state in self._states.items():
            stats = self.replies[i].stats
            stats.n_decoded, stats.decode_s = stats.n_decoded + 1, stats.decode_s + took
            stats.n_past = state.n_past
        self.stats.n_decoded += len(logits)
        self.stats.decode_s += took
        yield from self._extend(dict(zip(self._states, (rows[0] for rows in logits), strict=True)))

    def _extend(self, logits: dict[int, np.ndarray]) -> Iterator[tuple[int, str]]:
        """Choose tokens; replies that end leave the batch."""
        for i, row in logits.items():
            n_before, started = len(self.replies[i].ids), perf_counter()
            text = self.replies[i].extend(row)
            self.stats.decode_s += perf_counter() - started
            self.stats.n_generated += len(self.replies[i].ids) - n_before
            if self.replies[i].ending:
                del self._states[i]
            if text:
                yield i, text
