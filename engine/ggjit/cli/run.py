"""`ggjit run`: one prompt, one reply, plain text on stdout."""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

import typer

from .flags import (
    ComputeFlags,
    ModelArgument,
    ModelFlags,
    ReplyFlags,
    SamplingFlags,
    chats_or,
    option,
    timings,
)
from .prompt import read_prompt
from .status import prompt_status

if TYPE_CHECKING:
    from ..generate import Generation, Model


def run(
    model: ModelArgument = None,
    prompt: Annotated[
        str | None, option("-p", "--prompt", metavar="TEXT", help="The prompt; - reads stdin.")
    ] = None,
    file: Annotated[
        str | None, option("-f", "--file", metavar="FILE", help="A file with the prompt.")
    ] = None,
    system: Annotated[
        str | None, option("-sys", "--system-prompt", metavar="TEXT", help="A system message.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Continue the prompt as it is, without chat template.")
    ] = False,
    special: Annotated[
        bool, typer.Option("--special", help="With --raw: recognise special tokens in the prompt.")
    ] = False,
    *,
    flags: ModelFlags,
    compute: ComputeFlags,
    reply_flags: ReplyFlags,
    sampling: SamplingFlags,
) -> None:
    """Answer one prompt, and print nothing but the answer."""
    if raw and system is not None:
        raise ValueError("-sys needs the chat template, which --raw leaves out")
    if special and not raw:
        raise ValueError("--special needs --raw: a message never holds special tokens")
    text = read_prompt(prompt, file)
    if not text:
        raise ValueError("the prompt is empty")
    limits = reply_flags.limits() | sampling.changes()
    chats = chats_or("use --raw, which continues the prompt")
    loaded = flags.load(model, compute, attrgetter("tokenizer") if raw else chats)
    if raw:
        reply = loaded.generate(loaded.tokenizer.encode(text, special=special), **limits)
    else:
        system_message = [] if system is None else [{"role": "system", "content": system}]
        messages = [*system_message, {"role": "user", "content": text}]
        reply = loaded.chat(messages, **limits)
    with prompt_status(loaded):
        print_reply(reply, newline=not raw or sys.stdout.isatty())
    if flags.verbose:
        print(_costs(loaded, reply), file=sys.stderr)


def print_reply(reply: Generation, newline: bool) -> None:
    """Print a reply piece by piece, each as soon as it is there.

    After any text there is a line break, even on an error; in place of an error where only the
    context ends a reply, a note follows on stderr.
    """
    from ..backends import ContextFull

    some, note = False, ""
    try:
        for piece in reply:
            some = True
            sys.stdout.write(piece)
            sys.stdout.flush()
    except ContextFull as full:
        if not reply.ids:
            raise
        note = f"the reply ends here: its context of {full.n_context} tokens is full (-c sets it)"
        note = note if newline or not some else f"\n{note}"  # stdout is the reply alone
    finally:
        if newline and some:
            sys.stdout.write("\n")
    if note:
        sys.stdout.flush()
        print(note, file=sys.stderr)


def _costs(model: Model, reply: Generation) -> str:
    load = model.load_stats
    return f"load {load.load_s:.2f} s (compiling {load.compile_s:.2f} s), {timings(reply)}"
