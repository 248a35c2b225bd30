"""`ggjit perplexity`: how well a model predicts a text, measured as llama-perplexity does."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..replacing import check_replaceable
from .flags import ComputeFlags, ModelArgument, ModelFlags, option
from .prompt import read_prompt

if TYPE_CHECKING:
    from ..measure import LogitsFile

WINDOW = 512  # tokens


@dataclass(frozen=True)
class WindowFlags(ModelFlags):
    """Which model; the context is one window."""

    context: Annotated[
        int | None,
        option("-c", "--ctx-size", metavar="N", help=f"Tokens of a window (default: {WINDOW})."),
    ] = None


def perplexity(
    model: ModelArgument = None,
    text_file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="The text.", show_default=False)
    ] = None,
    file: Annotated[
        str | None, option("-f", "--file", metavar="FILE", help="The same as FILE; - reads stdin.")
    ] = None,
    chunks: Annotated[
        int, option("--chunks", metavar="N", help="Only the first N windows (-1: all).")
    ] = -1,
    save_logits: Annotated[
        str | None, option("--save-logits", metavar="REF", help="Keep what the model predicts.")
    ] = None,
    kl: Annotated[
        str | None, option("--kl", metavar="REF", help="Compare with predictions that were kept.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures, as JSON.")] = False,
    *,
    flags: WindowFlags,
    compute: ComputeFlags,
) -> None:
    """Measure how well a model predicts a text.

    Or, with --kl, how far its predictions are from those of another. REF is a file as
    llama-perplexity's --kl-divergence-base reads and writes it; it holds the text.
    """
    from ..measure import LogitsFile
    from .perplexity_measure import compared, scored
    from .perplexity_report import print_figures

    if save_logits is not None and kl is not None:
        raise ValueError("--kl and --save-logits are two measurements, run one after the other")
    if chunks == 0 or chunks < -1:
        raise ValueError(f"--chunks must be 1 or more, or -1 for all, not {chunks}")
    if save_logits is not None:
        check_replaceable(Path(save_logits))
    n_most = None if chunks == -1 else chunks
    base = LogitsFile(kl) if kl is not None else None
    text = _read(text_file, file, base)
    size = _size(flags.context, base)
    with replace(flags, context=size).load(model, compute, attrgetter("tokenizer")) as loaded:
        if base is not None:
            figures = compared(loaded, base, text, n_most)
        else:
            assert text is not None
            figures = scored(loaded, text, size, n_most, save_logits)
        print_figures(figures, loaded, as_json)
        if flags.verbose:
            load = loaded.load_stats
            seconds = f"load {load.load_s:.2f} s (compiling {load.compile_s:.2f} s)"
            print(f"{seconds}, measuring {figures.seconds:.2f} s", file=sys.stderr)


def _read(argument: str | None, file: str | None, base: LogitsFile | None) -> str | None:
    """Return the text; None for that of `base`, which need not be given again."""
    if argument is not None and file is not None:
        raise ValueError(f"two texts were named, {argument} and -f {file}")
    named = file if argument is None else argument
    if named is None and base is None:
        raise ValueError("there is no text: name a file after the model, or with -f")
    return None if named is None else read_prompt(None, named)


def _size(context: int | None, base: LogitsFile | None) -> int:
    if base is None:
        return context or WINDOW
    size = base.ids.shape[1]
    if context not in (None, 0, size):
        raise ValueError(f"{base.path} has windows of {size} tokens, not -c {context}")
    return size
