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
from .flags import (
    ComputeFlags,
    ModelArgument,
    ModelFlags,
    ReplyFlags,
    SamplingFlags,
    chats_or,
    option,
    timings,
)
from .status import prompt_status

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
For a message of several lines end each with \\, put it between two \"\"\", or press Alt-Enter.
Ctrl-C stops a reply, a second one leaves; with nothing running or typed, two of them leave."""


def chat(
    model: ModelArgument = None,
    system: Annotated[
        str | None, option("-sys", "--system-prompt", metavar="TEXT", help="A system message.")
    ] = None,
    *,
    flags: ModelFlags,
    compute: ComputeFlags,
    reply_flags: ReplyFlags,
    sampling: SamplingFlags,
) -> None:
    """Talk with a model; /help says what can be done meanwhile."""
    limits = reply_flags.limits() | sampling.changes()
    loaded = flags.load(model, compute, chats_or("use ggjit run --raw, which continues a text"))
    loop = ChatLoop(loaded, Conversation(system), limits)
    _show_dim(f"{loaded.file.path.name}, context {loaded.n_context} tokens, /help for help")
    raise typer.Exit(loop.run(reader(loop.commands)))


class ChatLoop:
    """Reads messages and commands until there are no more."""

    def __init__(self, model: Model, conversation: Conversation, limits: dict[str, Any]) -> None:
        self.conversation = conversation
        self.commands: dict[str, Callable[[str], None]] = {
            "/help": lambda _: print(HELP),
            "/reset": self._reset,
            "/system": self._set_system,
            "/save": self._save,
            "/load": self._load,
            "/exit": _leave,
        }
        self._model, self._limits = model, limits
        self._stopped = False  # the last thing that happened was that Ctrl-C stopped a reply
        self._warned = False  # or that it was pressed with nothing running

    def run(self, messages: Reader) -> int:
        """Return the exit code."""
        while True:
            try:
                text = messages.read()
            except EOFError:
                return 0
            except KeyboardInterrupt:
                if self._stopped:
                    return INTERRUPTED
                if self._warned or not sys.stdin.isatty():
                    return 0
                self._warned = True
                print("press Ctrl-C again or Ctrl-D to leave", file=sys.stderr)
                continue
            self._stopped = self._warned = False
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
        kinds: list[str] = []
        reply = None
        try:
            reply = self._model.chat(self.conversation.messages, **self._limits)
            with prompt_status(self._model):
                for piece in reply:
                    sys.stdout.write(_shown(piece, reply.kind, kinds))
                    sys.stdout.flush()
                    pieces.append(piece)
                    kinds.append(reply.kind)
            _end_reply(timings(reply), before="\n\n" if pieces else "")
        except KeyboardInterrupt:
            self._stopped = True
            _end_reply("stopped", before="\n")
        except ContextFull as error:
            _break_line(after=pieces)
            said = f"{error.problem}; /reset starts over, /save FILE keeps the conversation"
            if not (reply and reply.ids):
                _complain(said, error)
            else:  # a reply cut short is still one
                sys.stdout.flush()
                print(said, file=sys.stderr)
        except ValueError as error:
            _break_line(after=pieces)
            _complain(str(error), error)
        finally:
            # What is not text was thought, not said: templates leave it out of turns before.
            thought = set(kinds) - {"text"}
            said = self._model.parts(reply).text if reply and thought else ""
            self.conversation.answer(said or "".join(pieces))

    def _reset(self, _: str) -> None:
        self.conversation.reset()
        _show_dim("the conversation starts over")

    def _set_system(self, text: str) -> None:
        self.conversation.set_system(text)
        _show_dim(f"the system message is {'set' if text else 'removed'}")

    def _save(self, name: str) -> None:
        self.conversation.save(_file_of(name))
        _show_dim(f"saved {self._n_messages()} in {name}")

    def _load(self, name: str) -> None:
        self.conversation.load(_file_of(name))
        _show_dim(f"loaded {self._n_messages()} from {name}")

    def _n_messages(self) -> str:
        n = len(self.conversation.messages)
        return "1 message" if n == 1 else f"{n} messages"


def _leave(_: str) -> NoReturn:
    raise EOFError


def _file_of(text: str) -> Path:
    if not text:
        raise ValueError("the name of a file is missing")
    return Path(text).expanduser()


def _show_dim(text: str) -> None:
    """Show a line about what was done, on a terminal only."""
    if sys.stdout.isatty():
        print(text if "NO_COLOR" in os.environ else f"\x1b[2m{text}\x1b[0m")


def _end_reply(text: str, before: str) -> None:
    """End a reply's last line, and on a terminal show a line about it."""
    print(before if sys.stdout.isatty() else "\n", end="")
    _show_dim(text)


def _shown(piece: str, kind: str, before: list[str]) -> str:
    """Return what is shown of a piece: not what announces a part; what is no text dimmed."""
    if kind == "header":
        return ""
    gap = "\n\n" if before[-1:] == ["header"] and set(before) != {"header"} else ""
    if kind == "text" or not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return gap + piece
    return f"{gap}\x1b[2m{piece}\x1b[0m"


def _break_line(after: list[str]) -> None:
    if after:
        print()


def _complain(text: str, error: Exception) -> None:
    """Show what went wrong and go on; where nobody sits at the keyboard, leave with it."""
    if not sys.stdin.isatty():
        raise (ValueError(text) if isinstance(error, ValueError) else error) from error
    print(text, file=sys.stderr)
