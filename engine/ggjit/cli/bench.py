"""`ggjit bench`: prompt and generation speed, in llama-bench's tests, options and formats."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .flags import ComputeFlags, ModelArgument, option
from .status import load_status, show_status

if TYPE_CHECKING:
    from .bench_plan import BenchTest
    from .bench_report import Record

MANY = "lists 128,256 and ranges 64-512+64 or 1-8*2 too"


@dataclass(frozen=True)
class TestFlags:
    """What is timed: every combination."""

    n_prompt: Annotated[
        list[str] | None,
        option("-p", "--n-prompt", metavar="N", help=f"Tokens at once (512; {MANY})."),
    ] = None
    n_gen: Annotated[
        list[str] | None, option("-n", "--n-gen", metavar="N", help="Tokens one by one (128).")
    ] = None
    n_depth: Annotated[
        list[str] | None, option("-d", "--n-depth", metavar="N", help="Tokens before them (0).")
    ] = None
    sequences: Annotated[
        list[str] | None, option("-b", "--sequences", metavar="N", help="Side by side (1).")
    ] = None

    def plan(self) -> list[BenchTest]:
        """Return the tests. Raises: ValueError if there are none."""
        from .bench_plan import numbers, plan

        tests = plan(
            numbers(self.n_prompt or ["512"], "-p"),
            numbers(self.n_gen or ["128"], "-n"),
            numbers(self.n_depth or ["0"], "-d"),
            numbers(self.sequences or ["1"], "-b"),
        )
        if not tests:
            raise ValueError("there is nothing to measure: -p and -n, or -b, are 0")
        return tests


def bench(
    tests: TestFlags,
    model: ModelArgument = None,
    model_options: Annotated[
        list[str] | None,
        option("-m", "--model", metavar="MODEL", help="The same as MODEL; of several, each."),
    ] = None,
    threads: Annotated[
        list[str] | None,
        option("-t", "--threads", metavar="N", help="Threads (the physical cores)."),
    ] = None,
    repetitions: Annotated[
        int, option("-r", "--repetitions", metavar="N", help="Timed runs of each test (5).")
    ] = 5,
    output: Annotated[
        str, option("-o", "--output", metavar="FORMAT", help="md (default), csv, json or jsonl.")
    ] = "md",
    no_warmup: Annotated[
        bool, typer.Option("--no-warmup", help="Time the first run as well.")
    ] = False,
    *,
    compute: ComputeFlags,
) -> None:
    """Measure tokens per second, tokenizing and sampling left out."""
    from ..hub import resolve
    from .bench_plan import numbers
    from .bench_report import FORMATS, Report

    if output not in FORMATS:
        raise ValueError(f"-o must be one of {', '.join(FORMATS)}, not {output!r}")
    if repetitions < 1:
        raise ValueError(f"-r must be 1 or more, not {repetitions}")
    planned, arguments = tests.plan(), compute.arguments()
    paths = [resolve(name) for name in models(model, model_options)]
    n_threads = numbers(threads, "-t") if threads else [None]
    report = Report(output, sys.stdout)
    try:
        for path, n in product(paths, n_threads):
            arguments["threads"] = n
            for record in records(path, planned, arguments, repetitions, not no_warmup):
                report.add(record)
        report.end()
    finally:
        show_status("")


def models(argument: str | None, options: list[str] | None) -> list[str | None]:
    """Return the models that were named; None for the default one."""
    if argument is not None and options:
        raise ValueError(f"models were named in two ways, {argument} and -m {options[0]}")
    return list(options) if options else [argument]


def records(
    path: Path, planned: list[BenchTest], arguments: dict[str, Any], n_repeats: int, warm_up: bool
) -> Iterator[Record]:
    """Load a model as `arguments` say, and yield a record of each test."""
    from .. import load
    from .bench_measure import measure, measure_machine
    from .bench_report import record

    n_context = max(test.n_context for test in planned)
    n_sequences = max(test.n_sequences for test in planned)
    with load_status() as progress:
        loaded = load(
            path, context=n_context, sequences=n_sequences, progress=progress, **arguments
        )
    with loaded:
        show_status("measuring the machine")
        machine = measure_machine(loaded.executor)
        for test in planned:
            result = measure(loaded.executor, test, n_repeats, warm_up, show_status)
            show_status("")
            yield record(result, loaded, arguments, machine)
