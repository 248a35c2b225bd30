"""From what went wrong to one line on stderr and an exit code.

0 done, 2 bad input, 3 a fault of the machine, 130 interrupted, 141 the reader left (| head).
Anything else is a bug and keeps its traceback; GGJIT_DEBUG=1 shows every traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

MISNAMED = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # of a wrong path
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer does not export it


def exit_code(app: typer.Typer, args: Sequence[str]) -> int:
    """Run `app` and return the exit code; errors become one line on stderr."""
    try:
        _invoke(app, list(args) or ["--help"])
        sys.stdout.flush()
    except typer.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        _let_go_of_stdout()
        return 141
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except UsageError as error:
        return _report(_usage(error), 2)
    except (ValueError, *MISNAMED) as error:  # GGUFError is a ValueError
        return _report(sentence(error), 2)
    except (OSError, MemoryError) as error:
        return _report(sentence(error), 3)
    return 0


def _invoke(app: typer.Typer, args: list[str]) -> None:
    command = typer.main.get_command(app)
    with command.make_context("ggjit", args) as context:
        command.invoke(context)


def _report(message: str, code: int) -> int:
    from ..gguf import printable

    print(f"ggjit: error: {printable(message)}", file=sys.stderr)
    if os.environ.get("GGJIT_DEBUG", "0") != "0":
        raise
    return code


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "ggjit"
    return f"{error.format_message().rstrip('.')} (see {where} --help)"  # type: ignore[attr-defined]


def sentence(error: Exception) -> str:
    """Return what to tell a person about `error`."""
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _let_go_of_stdout() -> None:
    """Keep the interpreter from writing to the closed pipe once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
