"""`ggjit chat`: a conversation with a model."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from .chat_input import Reader, reader
from .conversation import Conversation
from .errors import sentence
from .flags import ModelArgument, ModelFlags, ReplyFlags, SamplingFlags, option, timings

if TYPE_CHECKING:
    from ..generate import Model

INTERRUPTED = 130
HELP = """\
/help          this list
/reset         forget the conversation, not the system message
/system TEXT   replace the system message, without TEXT remove it; the conversation stays
/save FILE     keep the conversation in a file
/load FILE     go on with a kept one
/exit          leave, as Ctrl-D does
A message has many lines after a \\ at a line's end, between two \"\"\", or with Alt-Enter.
Ctrl-C stops a reply, a second one leaves."""


def chat(
    model: ModelArgument = None,
    system: Annotated[
        str | None, option("-sys", "--system-prompt", metavar="TEXT", help="A system message.")
    ] = None,
    *,
    flags: ModelFlags,
    reply_flags: ReplyFlags,
    sampling: SamplingFlags,
) -> None:
    """Talk with a model; /help says what can be done meanwhile."""
    limits = reply_flags.limits() | sampling.changes()
    loaded = flags.load(model)
    if loaded.chat_template is None:
        raise ValueError(
            f"{loaded.file.path} has no chat template, it is a base model: "
            "use ggjit run --raw, which continues a text"
        )
    loop = ChatLoop(loaded, Conversation(system), limits)
    if sys.stdout.isatty():
        name = loaded.file.path.name
        _show_dim(f"{name}, context {loaded.n_context} tokens, /help for help", before="")
    raise typer.Exit(loop.run(reader(loop.commands)))


class ChatLoop:
    """Reads messages and commands until there are no more."""

    def __init__(self, model: Model, conversation: Conversation, limits: dict[str, Any]) -> None:
        self.conversation = conversation
        self.commands: dict[str, Callable[[str], None]] = {
            "/help": lambda _: print(HELP),
            "/reset": lambda _: conversation.reset(),
            "/system": conversation.set_system,
            "/save": lambda name: conversation.save(_file_of(name)),
            "/load": lambda name: conversation.load(_file_of(name)),
            "/exit": _leave,
        }
        self._model, self._limits = model, limits
        self._stopped = False  # the last thing that happened was that Ctrl-C stopped a reply

    def run(self, messages: Reader) -> int:
        """Return the exit code."""
        while True:
            try:
                text = messages.read()
            except EOFError:
                return 0
            except KeyboardInterrupt:
                return INTERRUPTED if self._stopped else 0
            self._stopped = False
            try:
                self._handle(text)
            except EOFError:
                return 0

    def _handle(self, text: str) -> None:
        if text.startswith("/"):
            name, _, rest = text.partition(" ")
            self._do(name, rest.strip())
        elif text.strip():
            self._reply_to(text.strip())

    def _do(self, name: str, rest: str) -> None:
        try:
            if name not in self.commands:
                raise ValueError(
                    "no such command, /help lists them; a message may start with a space"
                )
            self.commands[name](rest)
        except (ValueError, OSError) as error:
            _complain(f"{name}: {sentence(error)}", error)

    def _reply_to(self, text: str) -> None:
        """Show the reply to `text` and remember both; a question without reply is forgotten."""
        from ..backends import ContextFull

        self.conversation.ask(text)
        pieces: list[str] = []
        try:
            reply = self._model.chat(self.conversation.messages, **self._limits)
            for piece in reply:
                pieces.append(piece)
                sys.stdout.write(piece)
                sys.stdout.flush()
            _show_dim(timings(reply), before="\n\n" if pieces else "")
        except KeyboardInterrupt:
            self._stopped = True
            _show_dim("stopped", before="\n")
        except ContextFull as error:
            print()
            _complain(f"{error}: /reset starts over, /save FILE keeps the conversation", error)
        except ValueError as error:
            print()
            _complain(str(error), error)
        finally:
            self.conversation.answer("".join(pieces))


def _leave(_: str) -> NoReturn:
    raise EOFError


def _file_of(text: str) -> Path:
    if not text:
        raise ValueError("the name of a file is missing")
    return Path(text).expanduser()


def _show_dim(text: str, before: str) -> None:
    """End a reply's last line, and on a terminal show a line about it."""
    if not sys.stdout.isatty():
        print()
        return
    plain = "NO_COLOR" in os.environ
    print(f"{before}{text}" if plain else f"{before}\x1b[2m{text}\x1b[0m")


def _complain(text: str, error: Exception) -> None:
    """Show what went wrong and go on; where nobody sits at the keyboard, leave with it."""
    if not sys.stdin.isatty():
        raise error
    print(text, file=sys.stderr)
