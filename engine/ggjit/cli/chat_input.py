"""Where a chat's messages come from: a terminal with editing and history, or plain lines.

A message is one line, unless the line ends in a backslash or opens a \"\"\" block.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from .prompt import STDIN, decoded

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings

BLOCK = '"""'


class Reader(Protocol):
    """Reads messages."""

    def read(self) -> str:
        """Return the next message.

        Raises: EOFError at the end, KeyboardInterrupt for Ctrl-C with nothing typed; ValueError
        for what is not UTF-8.
        """


def reader(commands: Iterable[str]) -> Reader:
    """Return the reader that fits standard input."""
    return TerminalReader(commands) if sys.stdin.isatty() else PipeReader()


def is_unfinished(text: str) -> bool:
    """Tell whether more lines of the message have to come."""
    if text.lstrip().startswith(BLOCK):
        return not text.rstrip().endswith(BLOCK) or len(text.strip()) < 2 * len(BLOCK)
    return text.endswith("\\")


def message_of(text: str) -> str:
    """Return the message without the marks that made it one."""
    if text.lstrip().startswith(BLOCK):
        return text.strip().removeprefix(BLOCK).removesuffix(BLOCK).strip("\n")
    return text.replace("\\\n", "\n")


class PipeReader:
    """Reads messages from standard input that is no terminal."""

    def __init__(self) -> None:
        self._n_read = 0  # bytes

    def read(self) -> str:
        lines = [self._line()]
        while is_unfinished("\n".join(lines)):
            try:
                lines.append(self._line())
            except EOFError:
                break
        return message_of("\n".join(lines))

    def _line(self) -> str:
        data = sys.stdin.buffer.readline()
        if not data:
            raise EOFError
        line = decoded(data, STDIN, self._n_read)
        self._n_read += len(data)
        return line.rstrip("\r\n")


class TerminalReader:
    """Reads messages with editing, history across runs, and completion of commands."""

    def __init__(self, commands: Iterable[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter

        self._session: PromptSession[str] = PromptSession(
            multiline=True,
            key_bindings=_key_bindings(),
            history=_history(),
            completer=WordCompleter(list(commands), sentence=True),
            complete_while_typing=False,
        )

    def read(self) -> str:
        return message_of(self._session.prompt("> ", prompt_continuation=". "))


def _key_bindings() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_unfinished(buffer.text):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    return keys


def _history() -> History:
    """Return the history in the cache folder; in memory where that cannot be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    from ..cache import cache_folder

    path = cache_folder() / "chat_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
