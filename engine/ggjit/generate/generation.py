"""One reply as it is made: an iterator of text, with what it cost."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from ..backends import ContextFull
from .candidates import Float32
from .sampler import Sampler
from .session import Session
from .stopping import StopRules, StopStrings

if TYPE_CHECKING:
    from ..text import TokenStream

Ending = Literal["end", "stop", "length", "context"]


@dataclass
class GenerationStats:
    """Tokens and seconds of one reply; what the reader does between two pieces is not counted.

    `n_prompt` tokens were computed, `n_reused` more were known from before.
    `n_decoded` of the `n_generated` tokens were fed back, one at a time, in `decode_s`.
    """

    n_prompt: int = 0
    n_reused: int = 0
    prompt_s: float = 0.0
    n_generated: int = 0
    n_decoded: int = 0
    decode_s: float = 0.0
    n_past: int = 0
    n_context: int = 0

    @property
    def prompt_per_s(self) -> float:
        """Prompt tokens per second."""
        return self.n_prompt / self.prompt_s if self.prompt_s else 0.0

    @property
    def decode_per_s(self) -> float:
        """Generated tokens per second."""
        return self.n_decoded / self.decode_s if self.decode_s else 0.0


class Generation(Iterator[str]):
    """Yields a reply's text in pieces as they are known; `ids`, `stats` and `ending` follow along.

    `ending` is "end" (the model's end token), "stop" (a stop string), "length" (max_tokens) or
    "context" (no room: ContextFull is raised after the text so far), and None while it runs.
    """

    def __init__(
        self,
        prompt: list[int],
        stream: TokenStream,
        sampler: Sampler,
        rules: StopRules,
        lender: AbstractContextManager[Session],
        keep_last: bool = False,
    ) -> None:
        """Prepare the reply to `prompt`; nothing is computed before the first piece is asked for.

        `stream` turns its ids into text, `lender` gives the session for as long as it runs.
        `keep_last` runs the last token too, although nobody needs its logits, so that the session
        holds the whole reply.
        """
        self.prompt, self.rules = prompt, rules
        self.ids: list[int] = []
        self.stats = GenerationStats()
        self.ending: Ending | None = None
        self._sampler, self._lender, self._keep_last = sampler, lender, keep_last
        self._stream, self._stops = stream, StopStrings(rules.strings)
        self._pieces = self._run()

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """End the reply where it is."""
        self._pieces.close()

    def _run(self) -> Generator[str, None, None]:
        if self.rules.max_tokens == 0:
            self.ending = "length"
            return
        with self._lender as session:
            logits = self._read_prompt(session)
            while not self.ending:
                id = self._choose(logits)
                if self.ending:  # an end token is not part of the text
                    break
                if text := self._stops.push(self._stream.push(id)):
                    yield text
                self._check_limits()
                if not self.ending or self._keep_last:
                    try:
                        logits = self._decode(session, id)
                    except ContextFull:
                        self.ending = "context"
                        yield from self._rest()
                        raise
            yield from self._rest()

    def _read_prompt(self, session: Session) -> Float32:
        stats, started = self.stats, perf_counter()
        stats.n_context = session.n_context
        stats.n_reused = min(session.n_common(self.prompt), len(self.prompt) - 1)
        logits = session.resume(self.prompt)
        stats.n_prompt = len(self.prompt) - stats.n_reused
        stats.n_past = session.n_past
        for id in self.prompt:
            self._sampler.accept(id)
        stats.prompt_s = perf_counter() - started
        return logits

    def _choose(self, logits: Float32) -> int:
        started = perf_counter()
        id = self._sampler.sample(logits)
        if id in self.rules.ids:
            self.ending = "end"
        else:
            self._sampler.accept(id)
            self.ids.append(id)
            self.stats.n_generated += 1
        self.stats.decode_s += perf_counter() - started
        return id

    def _check_limits(self) -> None:
        if self._stops.matched is not None:
            self.ending = "stop"
        elif len(self.ids) == self.rules.max_tokens:
            self.ending = "length"

    def _decode(self, session: Session, id: int) -> Float32:
        started = perf_counter()
        logits = session.feed([id])
        self.stats.n_decoded += 1
        self.stats.n_past = session.n_past
        self.stats.decode_s += perf_counter() - started
        return logits

    def _rest(self) -> Iterator[str]:
        if text := self._stops.push(self._stream.flush()) + self._stops.flush():
            yield text
