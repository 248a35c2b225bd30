"""Bounds-checked little-endian reads over the head of a GGUF file.

Every length is compared, as a Python integer, with the bytes that remain before anything is read or
allocated. The head is read, not mapped: a failing disk is then an OSError instead of a signal.
"""

from __future__ import annotations

import io
from pathlib import Path
from struct import Struct
from typing import Any

from .errors import GGUFError

CHUNK_BYTES = 1 << 20
# Far above any real vocabulary: a limit on the work that a hostile file can ask for.
MAX_HEAD_BYTES = 1 << 28

U32 = Struct("<I")
U64 = Struct("<Q")


class Cursor:
    """A position in a file of `size` bytes, with a window of what was read ahead of it."""

    def __init__(self, source: io.FileIO, size: int, path: Path) -> None:
        self.path, self.size = path, size
        self._source = source
        self._window = b""
        self._start = 0  # offset of the window in the file
        self._at = 0  # position in the window

    @property
    def offset(self) -> int:
        return self._start + self._at

    @property
    def remaining(self) -> int:
        return self.size - self.offset

    def error(self, problem: str, field: str, offset: int | None = None) -> GGUFError:
        """Return the error to raise; it points at the current byte unless told otherwise."""
        at = self.offset if offset is None else offset
        return GGUFError(problem, path=self.path, field=field, offset=at)

    def claim(self, count: int, item_bytes: int, field: str) -> None:
        """Check that `count` items of at least `item_bytes` can follow."""
        n_bytes = count * item_bytes
        if n_bytes > self.remaining:
            items = f"{count} bytes" if item_bytes == 1 else f"{count} items of {item_bytes} bytes"
            raise self.error(f"needs {items}, but {self.remaining} bytes remain in the file", field)
        if self.offset + n_bytes > MAX_HEAD_BYTES:
            raise self.error(f"metadata is longer than {MAX_HEAD_BYTES} bytes", field)

    def peek(self, n: int) -> bytes:
        """Return up to `n` of the next bytes without moving."""
        n = min(n, self.remaining)
        at = self._ahead(n, "header")
        return self._window[at : at + n]

    def u32(self, field: str) -> int:
        return self.number(U32, field)

    def u64(self, field: str) -> int:
        return self.number(U64, field)

    def number(self, layout: Struct, field: str) -> Any:
        """Read one number of `layout`."""
        at = self._ahead(layout.size, field)
        self._at = at + layout.size
        return layout.unpack_from(self._window, at)[0]

    def raw(self, n: int, field: str) -> bytes:
        """Read `n` bytes."""
        at = self._ahead(n, field)
        self._at = at + n
        return self._window[at : at + n]

    def string(self, field: str, max_bytes: int = MAX_HEAD_BYTES) -> str:
        """Read a length and that many bytes of UTF-8."""
        start = self.offset
        length = self.u64(field)
        if length > max_bytes and length <= self.remaining:
            problem = f"is {length} bytes long, at most {max_bytes} are allowed"
            raise self.error(problem, field, start)
        try:
            return self.raw(length, field).decode()
        except UnicodeDecodeError as error:
            raise self.error(f"is not valid UTF-8 ({error.reason})", field, start) from None

    def strings(self, n: int, field: str) -> list[str]:
        """Read `n` strings; vocabularies have hundreds of thousands, so the loop is bare."""
        self.claim(n, U64.size, field)
        texts: list[str] = []
        append, length_at = texts.append, U64.unpack_from
        window, at, end = self._window, self._at, len(self._window)
        try:
            for _ in range(n):
                if end - at < 8:
                    self._at = at
                    at = self._ahead(8, field)
                    window, end = self._window, len(self._window)
                (length,) = length_at(window, at)
                at += 8
                if length > end - at:
                    self._at = at
                    at = self._ahead(length, f"{field}[{len(texts)}]")
                    window, end = self._window, len(self._window)
                append(window[at : at + length].decode())
                at += length
        except UnicodeDecodeError as error:
            problem = f"is not valid UTF-8 ({error.reason})"
            raise self.error(problem, f"{field}[{len(texts)}]", self._start + at) from None
        self._at = at
        return texts

    def _ahead(self, n: int, field: str) -> int:
        """Make the next `n` bytes present and return where in the window they begin."""
        missing = self._at + n - len(self._window)
        if missing > 0:
            self.claim(n, 1, field)
            fresh = self._read(max(missing, CHUNK_BYTES), missing, field)
            self._start += self._at
            self._window = self._window[self._at :] + fresh
            self._at = 0
        return self._at

    def _read(self, wanted: int, needed: int, field: str) -> bytes:
        end = self._start + len(self._window)
        self._source.seek(end)
        wanted = min(wanted, self.size - end)
        parts: list[bytes] = []
        n_read = 0
        while n_read < needed:
            part = self._source.read(wanted - n_read)
            if not part:
                raise self.error(f"the file shrank to {end + n_read} bytes while read", field)
            parts.append(part)
            n_read += len(part)
        return b"".join(parts)
