"""`ggjit convert` and `ggjit quantize`: GGUF files from checkpoints and from other GGUF files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ggjit.cli.flags import option

from .flags import N_TOKENS, TYPES, Force, Lora, Threads, TypeFlags, check_flags
from .status import telling
from .verify_command import report

if TYPE_CHECKING:
    from .importance import Importance
    from .origins import Origin


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", show_default=False,
                            help="A folder as Hugging Face, Meta or Mistral lay it out (a model,"
                                 " or an adapter of PEFT), a file of tensors, or hf:OWNER/REPO."),
    ],
    *,
    type: Annotated[
        str, typer.Option("--type", "--outtype", metavar="TYPE",
                          help=f"Of the file: auto, as in the checkpoint, or {TYPES}."),
    ] = "auto",
    out: Annotated[
        str | None, option("-o", "--output", "--outfile", metavar="FILE",
                           help="The file to write, or its folder (NAME-TYPE.gguf, here)."),
    ] = None,
    flags: TypeFlags,
    lora: Lora = None,
    base: Annotated[
        str | None, option("--base", metavar="FOLDER",
                           help="The model of an adapter SRC, or its config.json."),
    ] = None,
    no_vocab: Annotated[
        bool, typer.Option("--no-vocab", help="Leave the tokenizer out.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the file with its source: ggjit verify.")
    ] = False,
    as_json: Annotated[
        Path | None, option("--json", metavar="FILE", help="Verify, and write the report as JSON.")
    ] = None,
    force: Force = False,
    threads: Threads = None,
) -> None:  # fmt: skip
    """Make a GGUF file of a checkpoint (safetensors, PyTorch)."""
    from ggjit.cli.status import show_status

    from .origins import FromCheckpoint, origin_at

    with telling():
        show_status(f"reading {source}")
        check_flags(threads, as_json)
        importance = _check(type, flags, out, force)
        origin = origin_at(source, vocabulary=not no_vocab, lora=lora or (), base=base)
    is_verified = verify or bool(as_json)
    if is_verified and origin.is_adapter:
        raise ValueError(f"{source} is an adapter: only models are verified")
    written = _make(origin, type, flags, importance, out, force, threads)
    if written and is_verified and isinstance(origin, FromCheckpoint):
        report(written, origin, as_json, N_TOKENS, threads)


def quantize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A GGUF file.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="The file to write, or its folder.")],
    type: Annotated[str, typer.Argument(metavar="TYPE", help=f"{TYPES}.")],
    flags: TypeFlags,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Make a GGUF file of another one, in another type."""
    from .origins import FromGGUF
    from .writing import check_apart

    check_flags(threads)
    check_apart(source, Path(out))
    importance = _check(type, flags, out, force)
    _make(FromGGUF(source), type, flags, importance, out, force, threads)


def _check(type: str, flags: TypeFlags, out: str | None, force: bool) -> Importance | None:
    """Return what was asked for of importance.

    Raises: ValueError for what is wrong whatever the source may be; OSError.
    """
    from .conversion import names_folder
    from .importance import read_importance
    from .types import Choice
    from .writing import check_absent

    Choice.of(type, flags.wishes())
    if out is not None and not flags.dry_run and not names_folder(out):
        check_absent([Path(out)], force)
    return read_importance(flags.imatrix) if flags.imatrix else None


def _make(
    origin: Origin, type: str, flags: TypeFlags, importance: Importance | None, out: str | None,
    force: bool, threads: int | None,
) -> Path | None:  # fmt: skip
    """Write the file and return it; None if only the plan was asked for."""
    from .conversion import Conversion

    conversion = Conversion.of(origin, type, flags.wishes(), importance)
    if flags.dry_run:
        print(conversion.table())
        return None
    path = conversion.place(out)
    for note in conversion.notes():
        print(f"note: {note}", file=sys.stderr)
    with telling() as progress:
        conversion.write(path, force, threads, progress)
    print(path)
    return path
