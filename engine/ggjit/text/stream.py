"""Ids to text one at a time: a character split over several tokens appears when it is complete."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable

_Utf8Decoder = getincrementaldecoder("utf-8")


class TokenStream:
    """Turns ids into text as they come.

    Bytes that cannot become a character are U+FFFD as soon as that is certain. The pieces and what
    `flush` returns are together what `Tokenizer.decode` gives for all the ids.
    """

    def __init__(self, token_bytes: Callable[[int], bytes], *, strip_space: bool = False) -> None:
        self._token_bytes = token_bytes
        self._strip_space = strip_space
        self._decoder = _Utf8Decoder("replace")

    def push(self, id: int) -> str:
        """Return the text that `id` completes."""
        data = self._token_bytes(id)
        if self._strip_space and data:
            self._strip_space = False
            data = data.removeprefix(b" ")
        return self._decoder.decode(data)

    def flush(self) -> str:
        """Return what an unfinished character leaves behind; the stream may go on after it."""
        return self._decoder.decode(b"", final=True)
