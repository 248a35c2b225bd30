"""One reply as it is made: an iterator of text, with what it cost."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from time import perf_counter
from typing import TYPE_CHECKING

from ..backends import ContextFull
from .candidates import Float32
from .reply import Reply
from .sampler import Sampler
from .session import Session
from .stopping import StopRules

if TYPE_CHECKING:
    from ..text import TokenStream


class Generation(Reply, Iterator[str]):
    """Yields a reply's text in pieces as they are known.

    Where there is no room for more, ContextFull is raised after the text so far.
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

        `lender` gives the session for as long as it runs. `keep_last` runs the last token too,
        although nobody needs its logits, so that the session holds the whole reply.
        """
        super().__init__(prompt, stream, sampler, rules)
        self._lender, self._keep_last = lender, keep_last
        self._pieces = self._run()

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """End the reply where it is."""
        self._pieces.close()

    def _run(self) -> Generator[str, None, None]:
        if self.ending:
            return
        with self._lender as session:
            logits = self._read_prompt(session)
            while not self.ending:
                if text := self.extend(logits):
                    yield text
                if not self.ending or (self._keep_last and self.ending != "end"):
                    try:
                        logits = self._decode(session, self.ids[-1])
                    except ContextFull:
                        if text := self.end("context"):
                            yield text
                        raise

    def _read_prompt(self, session: Session) -> Float32:
        stats, started = self.stats, perf_counter()
        stats.n_context = session.n_context
        before = session.n_run
        logits = session.resume(self.prompt)
        stats.n_prompt = session.n_run - before
        stats.n_reused = len(self.prompt) - stats.n_prompt
        stats.n_past = session.n_past
        self.accept_prompt()
        stats.prompt_s = perf_counter() - started
        return logits

    def _decode(self, session: Session, id: int) -> Float32:
        started = perf_counter()
        logits = session.feed([id])
        self.stats.n_decoded += 1
        self.stats.n_past = session.n_past
        self.stats.decode_s += perf_counter() - started
        return logits
