"""`ggjit verify`, and `ggjit convert --verify`: is a file what its source makes?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ggjit.cli.flags import option

from .flags import N_TOKENS, Lora, Threads, check_flags

if TYPE_CHECKING:
    from .origins import FromCheckpoint, FromGGUF


def verify(
    path: Annotated[Path, typer.Argument(metavar="GGUF", help="The file to look at.")],
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="The checkpoint or GGUF file it was made of.")
    ],
    lora: Lora = None,
    as_json: Annotated[
        Path | None, option("--json", metavar="FILE", help="Write the report as JSON, too.")
    ] = None,
    n_tokens: Annotated[
        int, typer.Option("--tokens", metavar="N", help="Compare logits of N tokens (0: of none).")
    ] = N_TOKENS,
    threads: Threads = None,
) -> None:
    """Compare a GGUF file with what it was made of.

    Tensors, keys, vocabulary and logits.
    """
    from .verifying import origin_of

    if n_tokens < 0:
        raise ValueError(f"--tokens must be 0 or more, not {n_tokens}")
    check_flags(threads, as_json)
    report(path, origin_of(source, lora or ()), as_json, n_tokens, threads)


def report(
    path: Path, origin: FromCheckpoint | FromGGUF, as_json: Path | None, n_tokens: int,
    threads: int | None,
) -> None:  # fmt: skip
    """Print the report. Raises: ValueError if something is wrong."""
    from ggjit.cli.status import load_status

    from . import verifying

    n_threads = threads or os.cpu_count() or 1
    with load_status() as progress:
        found = verifying.verify(path, origin, n_threads, n_tokens, progress)
    print(found)
    if as_json:
        as_json.write_text(json.dumps(found.as_json(), indent=1), encoding="utf-8")
    if n := len(found.problems):
        raise ValueError(f"{path} is not what {found.source} makes: {n} problems")
