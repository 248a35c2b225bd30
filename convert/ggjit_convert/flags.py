"""Flags that several of the converter's commands have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ggjit.cli.flags import option

if TYPE_CHECKING:
    from .quantize.policy import Wishes


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


def _override(text: str) -> tuple[str, Any]:
    from .quantize import find_type

    pattern, equals, name = text.rpartition("=")
    if not equals:
        raise ValueError(f"--tensor-type must be like ffn_down=q6_k, not {text!r}")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--tensor-type {pattern!r} is no regular expression: {error}") from None
    return pattern, find_type(name)


def check_flags(threads: int | None, as_json: Path | None = None) -> None:
    """Raise ValueError for what is wrong whatever the files may be."""
    if threads is not None and threads < 1:
        raise ValueError(f"-t must be 1 or more, not {threads}")
    if as_json is not None and not as_json.parent.is_dir():
        raise ValueError(f"--json {as_json}: there is no such folder")
