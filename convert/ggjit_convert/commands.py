"""`ggjit convert` and `ggjit quantize`: GGUF files from checkpoints and from other GGUF files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .origins import Origin
    from .quantize.policy import Wishes


def option(*names: str, metavar: str, help: str) -> Any:
    """Return a typer option that shows no type and no default of its own."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False)


Force = Annotated[bool, typer.Option("--force", help="Write over an existing file.")]
Threads = Annotated[int | None, option("-t", "--threads", metavar="N", help="Threads (all).")]


N_TOKENS = 256  # whose logits are compared to verify a file


@dataclass(frozen=True)
class TypeFlags:
    """Which tensor gets which type."""

    tensor_types: Annotated[
        list[str] | None,
        option("--tensor-type", metavar="REGEX=TYPE", help="Type of tensors with such names."),
    ] = None
    output_type: Annotated[
        str | None, option("--output-type", "--output-tensor-type", metavar="TYPE",
                           help="Type of output.weight."),
    ] = None  # fmt: skip
    embedding_type: Annotated[
        str | None, option("--token-embedding-type", metavar="TYPE",
                           help="Type of token_embd.weight."),
    ] = None  # fmt: skip
    pure: Annotated[
        bool, typer.Option("--pure", help="One type for all tensors instead of a mix.")
    ] = False
    imatrix: Annotated[
        Path | None, option("--imatrix", metavar="FILE", help="Importance of columns.")
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print every tensor and its type, write nothing.")
    ] = False  # fmt: skip

    def wishes(self) -> Wishes:
        """Return what was asked for. Raises: ValueError for a type there is not."""
        from .quantize.policy import Wishes

        overrides = [_override(text) for text in self.tensor_types or ()]
        output = _type(self.output_type) if self.output_type else None
        embedding = _type(self.embedding_type) if self.embedding_type else None
        return Wishes(output, embedding, overrides, self.pure)


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", show_default=False,
                            help="A folder as Hugging Face lays it out (a model, or an adapter of"
                                 " PEFT), a file of tensors, or hf:OWNER/REPO."),
    ],
    flags: TypeFlags,
    out: Annotated[
        Path | None, option("-o", "--output", "--outfile", metavar="FILE",
                            help="The file to write, or its folder (NAME-TYPE.gguf, here)."),
    ] = None,
    type: Annotated[
        str, typer.Option("--type", "--outtype", metavar="TYPE",
                          help="auto: as in the checkpoint; f32, f16, bf16, q8_0, q4_k_m, ..."),
    ] = "auto",
    lora: Annotated[
        list[str] | None, option("--lora", metavar="ADAPTER[:SCALE]",
                                 help="Merge an adapter of PEFT (may be repeated)."),
    ] = None,
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
    """Convert a checkpoint (safetensors, or PyTorch files) to a GGUF file."""
    from .origins import FromCheckpoint, origin_at

    origin = origin_at(source, vocabulary=not no_vocab, lora=lora or (), base=base)
    is_verified = verify or bool(as_json)
    if is_verified and origin.is_adapter:
        raise ValueError(f"{source} is an adapter: only models are verified")
    written = _make(origin, type, flags, out, force, threads)
    if written and is_verified and isinstance(origin, FromCheckpoint):
        from .verify_command import report

        report(written, origin, as_json, N_TOKENS, threads)


def quantize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A GGUF file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, or its folder.")],
    type: Annotated[str, typer.Argument(metavar="TYPE", help="q8_0, q4_k_m, f16, ...")],
    flags: TypeFlags,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Make a GGUF file of another type of one."""
    from .origins import FromGGUF

    _make(FromGGUF(source), type, flags, out, force, threads)


def _make(
    origin: Origin, type: str, flags: TypeFlags, out: Path | None, force: bool, threads: int | None
) -> Path | None:
    """Write the file and return it; None if only the plan was asked for."""
    from ggjit.cli.status import load_status

    from .conversion import Conversion
    from .importance import read_importance

    importance = read_importance(flags.imatrix) if flags.imatrix else None
    conversion = Conversion.of(origin, type, flags.wishes(), importance)
    if flags.dry_run:
        print(conversion.table())
        return None
    with load_status() as progress:
        written = conversion.write(conversion.place(out), force, threads, progress)
    for note in origin.notes():
        print(f"note: {note}", file=sys.stderr)
    print(written)
    return written


def _override(text: str) -> tuple[str, Any]:
    import re

    pattern, equals, name = text.rpartition("=")
    if not equals:
        raise ValueError(f"--tensor-type must be like ffn_down=q6_k, not {text!r}")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--tensor-type {pattern!r} is no regular expression: {error}") from None
    return pattern, _type(name)


def _type(name: str) -> Any:
    from ggjit.gguf import GGMLType

    if name.upper() not in GGMLType.__members__:
        known = ", ".join(GGMLType.__members__).lower()
        raise ValueError(f"type {name!r} is none of {known}")
    return GGMLType[name.upper()]
