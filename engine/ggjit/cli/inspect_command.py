"""`ggjit inspect`: what a GGUF file holds."""

from __future__ import annotations

from typing import Annotated

import typer


def inspect(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A GGUF file, or another name of a model.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Show a file's metadata and tensors as they are, without checking that they make sense."""
    from ..gguf import open_gguf
    from ..hub import resolve

    with open_gguf(resolve(file)) as opened:
        from .inspect import describe, print_description

        if as_json:
            import json

            print(json.dumps(describe(opened), ensure_ascii=False, indent=1))
        else:
            from rich.console import Console

            print_description(opened, Console())
