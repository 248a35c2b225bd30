"""`ggjit convert`: a checkpoint to a GGUF file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str,
    typer.Argument(
        metavar="SRC", help="A folder as Hugging Face lays it out, or hf:OWNER/REPO.",
        show_default=False,
    ),
]  # fmt: skip


def convert(
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", "--outfile", metavar="FILE", show_default=False,
            help="The file to write, or its folder (default: NAME-TYPE.gguf, here).",
        ),
    ] = None,
    type: Annotated[
        str,
        typer.Option(
            "--type", "--outtype", metavar="TYPE",
            help="auto: as the checkpoint has them; f32, f16, bf16, q8_0, q4_k_m, ...",
        ),
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print every tensor and its type, write nothing.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option("-t", "--threads", metavar="N", help="Threads (default: all).",
                                 show_default=False),
    ] = None,
) -> None:  # fmt: skip
    """Convert a checkpoint (safetensors, PyTorch) to a GGUF file."""
    from ggjit.cli.status import load_status

    from .conversion import Conversion

    conversion = Conversion.of(Path(source), type)
    if dry_run:
        print(conversion.table())
        return
    with load_status() as progress:
        written = conversion.write(conversion.place(out), force, threads, progress)
    for note in conversion.notes():
        print(f"note: {note}", file=sys.stderr)
    print(written)
