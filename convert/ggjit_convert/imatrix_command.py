"""`ggjit imatrix`: how much columns of matrices matter, for `ggjit quantize --imatrix`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ggjit.cli.flags import option

from .flags import Force, Threads
from .status import telling

FORMATS = ("gguf", "dat")


def imatrix(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A GGUF file, or a known name.")],
    text: Annotated[Path, typer.Argument(metavar="TEXT", help="A text like those to come.")],
    out: Annotated[
        Path, typer.Option("-o", "--output-file", metavar="FILE", help="The file to write.")
    ] = Path("imatrix.gguf"),
    output_format: Annotated[
        str | None, option("--output-format", metavar="FORMAT",
                           help="gguf, or llama.cpp's older dat (default: as FILE ends)."),
    ] = None,
    window: Annotated[
        int, typer.Option("-c", "--ctx-size", metavar="N", help="Tokens that are read together.")
    ] = 512,
    n_windows: Annotated[
        int | None, option("--chunks", metavar="N", help="Read so many of them (all).")
    ] = None,
    process_output: Annotated[
        bool, typer.Option("--process-output", help="Of output.weight too.")
    ] = False,
    force: Force = False,
    threads: Threads = None,
) -> None:  # fmt: skip
    """Measure which columns of matrices matter to a text."""
    from ggjit.hub import resolve

    from .collecting import collect
    from .importance_writing import write_gguf, write_old
    from .writing import check_absent

    kind = output_format or ("dat" if out.suffix == ".dat" else "gguf")
    if kind not in FORMATS:
        raise ValueError(f"--output-format must be gguf or dat, not {kind!r}")
    if n_windows is not None and n_windows < 1:
        raise ValueError(f"--chunks must be at least 1, not {n_windows}")
    check_absent([out], force)
    with telling() as progress:
        path = Path(resolve(model))
        collected = collect(path, text, window, n_windows, process_output, threads, progress)
    for line in collected.unseen():
        print(f"note: {line}", file=sys.stderr)
    (write_gguf if kind == "gguf" else write_old)(out, collected)
    print(out)
