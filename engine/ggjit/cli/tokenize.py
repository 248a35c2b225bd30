"""`ggjit tokenize`: the tokens of a text."""

from __future__ import annotations

from typing import Annotated

import typer

from .flags import ModelArgument, one_model, option
from .prompt import read_prompt


def tokenize(
    model: ModelArgument = None,
    model_option: Annotated[
        str | None, option("-m", "--model", metavar="MODEL", help="The same as MODEL.")
    ] = None,
    prompt: Annotated[
        str | None, option("-p", "--prompt", metavar="TEXT", help="The text; - reads stdin.")
    ] = None,
    file: Annotated[
        str | None, option("-f", "--file", metavar="FILE", help="A file with the text.")
    ] = None,
    ids: Annotated[bool, typer.Option("--ids", help="The ids alone, on one line.")] = False,
    special: Annotated[
        bool, typer.Option("--special", help="Recognise special tokens in the text.")
    ] = False,
    no_bos: Annotated[
        bool, typer.Option("--no-bos", help="Without the BOS token that the file may ask for.")
    ] = False,
) -> None:
    """Show the tokens of a text: one a line, id and text."""
    from .. import load
    from ..hub import resolve

    text = read_prompt(prompt, file)
    opened = load(resolve(one_model(model, model_option)), vocab_only=True)
    tokens = opened.tokenizer.encode(text, special=special, bos=False if no_bos else None)
    if ids:
        print(*tokens)
        return
    for id in tokens:
        print(f"{id:6d} -> {opened.tokenizer.piece(id)!r}")
