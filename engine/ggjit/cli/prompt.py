"""The prompt of a command: given, in a file, or piped in."""

from __future__ import annotations

import sys
from pathlib import Path

STDIN = "standard input"


def read_prompt(text: str | None, file: str | None) -> str:
    """Return the prompt; without one, or for `-`, what is piped in.

    One newline at the end of a file or a pipe is not part of it.
    Raises: ValueError if there is none or it is not UTF-8.
    """
    if text is not None and file is not None:
        raise ValueError("there are two prompts, -p and -f")
    if text not in (None, "-"):
        return _checked(text or "", "-p")
    if file not in (None, "-"):
        return _without_newline(decoded(_file_bytes(Path(file or "")), str(file)))
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("there is no prompt: give it with -p TEXT, -f FILE or through a pipe")
    return _without_newline(decoded(sys.stdin.buffer.read(), STDIN))


def decoded(data: bytes, source: str, n_before: int = 0) -> str:
    """Return the text of what follows `n_before` bytes of `source`. Raises: ValueError."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = n_before + error.start
        raise ValueError(f"{source} is not UTF-8 text at byte {where}") from None


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _checked(text: str, source: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{source} is not UTF-8 text at character {error.start}") from None
    return text
