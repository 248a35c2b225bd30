"""The command line: `ggjit chat | run | bench | ...`, a file for each.

Option names are llama.cpp's where the meaning is the same. What is slow to import is imported by
the command that needs it.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import Annotated, NoReturn

import typer

from .. import __version__
from .bench import bench
from .chat import chat
from .errors import exit_code
from .flags import spread
from .inspect_command import inspect
from .perplexity import perplexity
from .pull import pull
from .run import run
from .tokenize import tokenize
from .tune import tune

ORDER = [  # of the list of commands: using models, measuring them, making them
    "chat", "run", "pull", "tokenize", "inspect", "bench", "tune", "perplexity", "convert",
    "quantize", "verify", "imatrix", "split", "merge", "set-metadata",
]  # fmt: skip

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
own = {f.__name__: f for f in (chat, run, pull, tokenize, inspect, bench, tune, perplexity)}
others = {found.name: found.load() for found in entry_points(group="ggjit.commands")}  # converting
for name in sorted(own | others, key=[*ORDER, *others].index):
    app.command(name)(spread((own | others)[name]))


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ggjit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Its version.")
    ] = False,
) -> None:
    """Run GGUF models on the CPU, measure them, and make them."""


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # replies are UTF-8 wherever they go, and nothing that a file holds makes printing fail
        stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")  # type: ignore[union-attr]
    sys.exit(exit_code(app, sys.argv[1:]))


def _replace_closed_streams() -> None:
    """Put something in the place of streams that were closed before the start (as by `>&-`)."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:  # a pipe whose reader has left
        reader, writer = os.pipe()
        os.close(reader)
        sys.stdout = os.fdopen(writer, "w", encoding="utf-8")
