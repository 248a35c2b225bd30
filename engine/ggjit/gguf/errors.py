"""What is wrong with a GGUF file, said in one line that is safe to print."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MAX_SHOWN = 96


class GGUFError(ValueError):
    """A file that is not what the format allows; `str` names file, field and byte offset."""

    def __init__(
        self,
        problem: str,
        *,
        path: Path | None = None,
        field: str | None = None,
        offset: int | None = None,
    ) -> None:
        where = shorten(field) if field else ""
        if offset is not None:
            where += f" at byte {offset}" if where else f"byte {offset}"
        parts = [str(path) if path is not None else "", where, problem]
        super().__init__(printable(": ".join(part for part in parts if part)))
        self.problem, self.path, self.field, self.offset = problem, path, field, offset


def printable(text: str) -> str:
    """Escape what could steer a terminal, break a line or fail to encode."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def shorten(text: str, limit: int = MAX_SHOWN) -> str:
    """Cut `text` to `limit` characters, the last one an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def quoted(name: str) -> str:
    """Return `name` in quotes, cut to a length that fits a message."""
    return f"'{shorten(name)}'"


def shown(value: object) -> str:
    """Return a value as Python writes it, on one line, cut to a length that fits a message."""
    return shorten(repr(value.tolist() if isinstance(value, np.ndarray) else value))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
