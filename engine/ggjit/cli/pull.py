"""`ggjit pull`: the known models, and fetching one."""

from __future__ import annotations

from typing import Annotated

import typer


def pull(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A name of the list, or a reference hf:OWNER/REPO[:QUANT].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the known models, or fetch one and print where it is."""
    from ..hub import KNOWN, resolve

    if name is not None:
        print(resolve(name))
        return
    for model in KNOWN.values():
        place = str(model.path) if model.is_here else "not fetched"
        size = f"{model.n_bytes / 1e6:.0f} MB"
        print(f"{model.name}  {size}  {model.licence}  {model.description}  {place}")
