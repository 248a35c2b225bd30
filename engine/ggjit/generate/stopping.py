"""When a reply ends: stop strings over streamed text, end-of-generation ids, a token limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class StopRules:
    """What ends a reply, whichever comes first; max_tokens None means no limit.

    Raises: ValueError for an empty stop string or a negative limit.
    """

    max_tokens: int | None = None
    strings: tuple[str, ...] = ()
    ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 0:
            raise ValueError(f"max_tokens must be 0 or more, not {self.max_tokens}")
        if "" in self.strings:
            raise ValueError("a stop string must not be empty")


class StopStrings:
    """Passes streamed text on, up to the first stop string, which is never shown.

    Of several, the one that is complete first ends the text, however it was cut in pieces.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        self._strings = tuple(strings)
        self._held = ""
        self.matched: str | None = None

    def push(self, text: str) -> str:
        """Take more text, return what may be shown now."""
        if self.matched is not None:
            return ""
        text = self._held + text
        found = [(at + len(s), at, s) for s in self._strings if (at := text.find(s)) >= 0]
        if found:
            _, shown, self.matched = min(found)
            self._held = ""
        else:
            shown = len(text) - max((_overlap(text, s) for s in self._strings), default=0)
            self._held = text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """Return what was held back: no stop string came of it."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, string: str) -> int:
    """Return the length of the longest end of `text` that `string` starts with."""
    longest = min(len(text), len(string) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(string[:n])), 0)
