"""`ggjit convert` and `ggjit quantize`: GGUF files from checkpoints and from other GGUF files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .importance import Importance
    from .origins import Origin
    from .quantize.policy import Wishes
    from .writing import Progress


def option(*names: str, metavar: str, help: str) -> Any:
    """Return a typer option that shows no type and no default of its own."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False)


Force = Annotated[bool, typer.Option("--force", help="Write over an existing file.")]
Lora = Annotated[
    list[str] | None,
    option("--lora", metavar="ADAPTER[:SCALE]", help="Merge an adapter of PEFT (may be repeated)."),
]
Threads = Annotated[int | None, option("-t", "--threads", metavar="N", help="Threads (all).")]


TYPES = (  # of whole files; importing what knows them would make every command slow
    "f32, bf16, f16, q8_0, q6_k, q5_k_m, q5_k_s, q4_k_m, q4_k_s, q3_k_l, q3_k_m, q3_k_s, q2_k, "
    "q2_k_s, q5_1, q5_0, q4_1, q4_0, mxfp4, mxfp4_moe, iq4_nl, iq4_xs, iq3_m, iq3_s, iq3_xs, "
    "iq3_xxs, iq2_m, iq2_s, iq2_xs, iq2_xxs, iq1_m, iq1_s, tq2_0, tq1_0"
)
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
                           help="Type of the one tensor output.weight."),
    ] = None  # fmt: skip
    embedding_type: Annotated[
        str | None, option("--token-embedding-type", metavar="TYPE",
                           help="Type of the one tensor token_embd.weight."),
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
        """Return what was asked for. Raises: ValueError for a type that cannot be made."""
        from .quantize import find_type
        from .quantize.policy import Wishes

        overrides = [_override(text) for text in self.tensor_types or ()]
        output = find_type(self.output_type) if self.output_type else None
        embedding = find_type(self.embedding_type) if self.embedding_type else None
        return Wishes(output, embedding, overrides, self.pure)


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
        importance = _check(type, flags, out, force, threads)
        origin = origin_at(source, vocabulary=not no_vocab, lora=lora or (), base=base)
    is_verified = verify or bool(as_json)
    if is_verified and origin.is_adapter:
        raise ValueError(f"{source} is an adapter: only models are verified")
    written = _make(origin, type, flags, importance, out, force, threads)
    if written and is_verified and isinstance(origin, FromCheckpoint):
        from .verify_command import report

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

    importance = _check(type, flags, out, force, threads)
    _make(FromGGUF(source), type, flags, importance, out, force, threads)


def _check(
    type: str, flags: TypeFlags, out: str | None, force: bool, threads: int | None
) -> Importance | None:
    """Return what was asked for of importance.

    Raises: ValueError for what is wrong whatever the source may be; OSError.
    """
    from .conversion import names_folder
    from .importance import read_importance
    from .types import Choice
    from .writing import check_absent

    if threads is not None and threads < 1:
        raise ValueError(f"-t must be 1 or more, not {threads}")
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


@contextmanager
def telling() -> Iterator[Progress]:
    """Yield a function that shows progress; Ctrl-C leaves a line that says what became of it."""
    from ggjit.cli.status import load_status

    try:
        with load_status() as progress:
            yield progress
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        raise


def _override(text: str) -> tuple[str, Any]:
    import re

    from .quantize import find_type

    pattern, equals, name = text.rpartition("=")
    if not equals:
        raise ValueError(f"--tensor-type must be like ffn_down=q6_k, not {text!r}")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--tensor-type {pattern!r} is no regular expression: {error}") from None
    return pattern, find_type(name)
