"""Keeping a user's text from turning into special tokens on its way through a chat template.

A marker that occurs in no text is put inside every control token that a user spells; after
rendering, only the template's own control tokens match, and all markers are taken out again.
Not covered: templates that add the first character of a control token themselves, or turn text
around.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

MARKER = "\ufdd0"  # a noncharacter: Unicode reserves it for uses like this


class UserText:
    """Marks strings, given the texts of a vocabulary's control tokens."""

    def __init__(self, control: Collection[str]) -> None:
        self._control = sorted(control, key=len, reverse=True)
        # A token that starts like a word would have half of the text marked.
        self._starts = {text[0] for text in self._control if not text[0].isalnum()}

    def marked(self, value: Any) -> Any:
        """Return a copy in which no string spells a control token."""
        return _mapped(value, self._broken)

    def marked_everywhere(self, value: Any) -> Any:
        """Return a copy in which no string has the beginning of a control token, either.

        A template that cuts or joins strings can make a token from pieces, but not from these.
        """
        return _mapped(value, self._cut_starts)

    def _broken(self, text: str) -> str:
        for token in self._control:
            while token in text:  # again where two overlap
                text = text.replace(token, token[0] + MARKER + token[1:])
        return text

    def _cut_starts(self, text: str) -> str:
        return "".join(c + MARKER if c in self._starts else c for c in self._broken(text))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, change) for item in value]
    return value
