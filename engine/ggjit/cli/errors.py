"""From what went wrong to one line on stderr and an exit code.

0 done, 2 bad input, 3 a fault of the machine, 130 interrupted, 141 the reader left (| head).
Anything else is a bug and keeps its traceback; GGJIT_DEBUG=1 shows every traceback.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import typer

MISNAMED = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # of a wrong path
WORD = re.compile(r"-[a-z]{2,}")
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer does not export it


def exit_code(app: typer.Typer, args: Sequence[str]) -> int:
    """Run `app` and return the exit code; errors become one line on stderr."""
    try:
        return _invoke(app, list(args) or ["--help"])
    except BrokenPipeError:
        _settle_stdout()
        return 141
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except UsageError as error:
        return _report(_usage(error, args), 2)
    except (ValueError, *MISNAMED) as error:  # GGUFError is a ValueError
        return _report(sentence(error), 2)
    except (OSError, MemoryError) as error:
        return _report(sentence(error), 3)


def _invoke(app: typer.Typer, args: list[str]) -> int:
    command, code = typer.main.get_command(app), 0
    try:
        with command.make_context("ggjit", args) as context:
            command.invoke(context)
    except typer.Exit as error:
        code = error.exit_code
    sys.stdout.flush()
    return code


def _report(message: str, code: int) -> int:
    from ..gguf import printable

    _settle_stdout()
    print(f"ggjit: error: {printable(message)}", file=sys.stderr)
    if os.environ.get("GGJIT_DEBUG", "0") != "0":
        raise
    return code


def _usage(error: Exception, args: Sequence[str]) -> str:
    context = getattr(error, "ctx", None)
    where, options = "ggjit", {}
    if context:
        where = context.command_path
        options = {name: option for option in context.command.params for name in option.opts}
    unknown = _unknown_word(args, options)
    said = f"No such option: {unknown}" if unknown else error.format_message().rstrip(".")  # type: ignore[attr-defined]
    return f"{said} (see {where} --help)"


def _unknown_word(args: Sequence[str], options: Mapping[str, Any]) -> str | None:
    """Return the first of `args` like -ngl, which is read as -n with the value gl."""
    for before, arg in pairwise(["", *args]):
        is_value = before in options and not getattr(options[before], "is_flag", False)
        if WORD.fullmatch(arg) and arg[:2] in options and arg not in options and not is_value:
            return arg
    return None


def sentence(error: Exception) -> str:
    """Return what to tell a person about `error`."""
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _settle_stdout() -> None:
    """Write what is left; if that fails, keep the interpreter from trying again as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
