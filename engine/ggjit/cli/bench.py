"""`ggjit bench`: prompt and generation speed, in llama-bench's tests, options and formats."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .flags import Activations, CacheTypeK, CacheTypeV, ModelArgument, one_model, option
from .status import load_status, show_status

if TYPE_CHECKING:
    from .bench_plan import BenchTest

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
    model_option: Annotated[
        str | None, option("-m", "--model", metavar="MODEL", help="The same as MODEL.")
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
    backend: Annotated[
        str, option("--backend", metavar="NAME", help="cpu (default) or reference.")
    ] = "cpu",
    activations: Activations = 16,
    cache_type_k: CacheTypeK = "f16",
    cache_type_v: CacheTypeV = "f16",
    no_warmup: Annotated[
        bool, typer.Option("--no-warmup", help="Time the first run as well.")
    ] = False,
) -> None:
    """Measure tokens per second, tokenizing and sampling left out."""
    from .. import load
    from ..hub import resolve
    from .bench_measure import measure, measure_machine
    from .bench_plan import numbers
    from .bench_report import FORMATS, Report, record

    if output not in FORMATS:
        raise ValueError(f"-o must be one of {', '.join(FORMATS)}, not {output!r}")
    if repetitions < 1:
        raise ValueError(f"-r must be 1 or more, not {repetitions}")
    planned = tests.plan()
    n_context = max(test.n_context for test in planned)
    n_threads = numbers(threads, "-t") if threads else [None]
    path, report = resolve(one_model(model, model_option)), Report(output, sys.stdout)
    try:
        for n in n_threads:
            with load_status() as progress:
                loaded = load(
                    path,
                    threads=n,
                    context=n_context,
                    backend=backend,  # type: ignore[arg-type]
                    activations=activations,
                    cache_type_k=cache_type_k,
                    cache_type_v=cache_type_v,
                    sequences=max(test.n_sequences for test in planned),
                    progress=progress,
                )
            with loaded:
                show_status("measuring the machine")
                machine = measure_machine(loaded.executor)
                for test in planned:
                    result = measure(loaded.executor, test, repetitions, not no_warmup, show_status)
                    show_status("")
                    report.add(record(result, loaded, backend, activations, machine))
        report.end()
    finally:
        show_status("")
