"""`ggjit inspect`: what a GGUF file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..gguf import GGUFFile


def inspect(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A GGUF file, or another name of a model.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read all weights, and name damaged tensors.")
    ] = False,
) -> None:
    """Show a file's metadata and tensors.

    As they are: whether they make sense is not checked.
    """
    from ..gguf import open_gguf
    from ..hub import resolve

    with open_gguf(resolve(file)) as opened:
        if check:
            _check(opened)
        elif as_json:
            import json

            from .inspect import describe

            print(json.dumps(describe(opened), ensure_ascii=False, indent=1))
        else:
            from .inspect import PipedConsole, print_description

            print_description(opened, PipedConsole())


def _check(file: GGUFFile) -> None:
    from ..checking import damaged_tensors
    from ..gguf import printable
    from .status import load_status

    with load_status() as progress:
        found = damaged_tensors(file, progress)
    for sentence in found:
        print(printable(sentence))
    if found:
        raise ValueError(f"{file.path}: {len(found)} of {len(file.tensors)} tensors are damaged")
    print(f"{file.path}: {len(file.tensors)} tensors, all values finite")
