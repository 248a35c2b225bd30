"""Where the time of a forward pass goes: every kernel of the CPU backend's tape on its own.

    python bench/operations.py FILE.gguf [-p 512 | -p 1] [--activations 16]

The model runs once, so that all buffers hold real values. Then, for each kernel (matrix products by
shape), a tape of its steps alone, in all layers, is run by the same threads and timed. What is
missing to the time of the whole run is waiting at barriers, caches and Python. For matrix products:
int8 operations a second (two for a weight and token, twice that with 16 bits) and, for one token,
bytes of weights a second.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from quiet import when_quiet
from tables import machine_line, markdown, put_into

import ggjit
from ggjit.backends.cpu.machine import measure_bandwidth, measure_int8_peaks
from ggjit.backends.cpu.memory import address
from ggjit.backends.cpu.steps import Step
from ggjit.backends.cpu.tape import Tape, entries_of
from ggjit.backends.cpu.threads import Team
from ggjit.formats import Format, IntLanes, all_formats

OTHERS = 0.05  # share of the processors that other processes may take


def main() -> None:
    """Time the whole run, then each kernel."""
    args = parse()
    with recorded_steps() as recorded:
        model = ggjit.load(
            args.file, threads=args.threads, context=1024, activations=args.activations
        )
    executor: Any = model.executor
    state = executor.new_state()
    ids = np.random.default_rng(0).integers(0, model.n_vocab, args.prompt, np.int32)

    def whole() -> None:
        state.truncate(0)
        executor.run(state, ids)

    total = seconds(whole)
    steps = recorded[id(executor._ran.tape)]
    labels = dict.fromkeys(map(label_of, steps))
    rows = [kernel_row(executor, steps, label, total) for label in labels]
    peaks = measure_int8_peaks(args.threads)
    bandwidth = measure_bandwidth(args.threads, executor.weight_bytes)
    tiles = f", tiles {peaks.tiles / 1e12:.2f}" if peaks.tiles else ""
    text = "\n".join([
        machine_line(),
        f"{args.file.stem}, {args.prompt} tokens, {args.activations} bits, {args.threads} threads: "
        f"{1e3 * total:.2f} ms. Limits: {peaks.vector / 1e12:.2f} TOPS in vectors{tiles}; "
        f"{bandwidth / 1e9:.1f} GB/s.",
        "",
        markdown(["kernel", "times", "ms", "of all", "TOPS", "GB/s"], rows),
    ])  # fmt: skip
    print(text, "", sep="\n")
    if args.into:
        put_into(args.into, args.name, text)


def parse() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("-p", "--prompt", type=int, default=512, help="tokens, 1: decoding (512)")
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("--activations", type=int, default=16)
    parser.add_argument("--into", type=Path, help="page to put the table into")
    parser.add_argument("--name", default="operations", help="of the place in it (operations)")
    return parser.parse_args()


@contextmanager
def recorded_steps() -> Iterator[dict[int, list[Step]]]:
    """Collect the steps of the tapes that are made meanwhile, by identity."""
    recorded: dict[int, list[Step]] = {}
    make = Tape.__init__

    def record(tape: Tape, made: list[Step], *args: Any) -> None:
        recorded[id(tape)] = made
        make(tape, made, *args)

    Tape.__init__ = record  # type: ignore[method-assign,assignment]
    try:
        yield recorded
    finally:
        Tape.__init__ = make  # type: ignore[method-assign]


def label_of(step: Step) -> str:
    """Name a step: its kernel, and the shape of its matrix."""
    rows, columns = shape_of(step)
    return f"{step.kernel.name} {rows} x {columns}" if rows else step.kernel.name


def shape_of(step: Step) -> tuple[int, int]:
    """Return a matrix product's rows and columns, else zeros."""
    if not step.kernel.name.startswith("linear"):
        return 0, 0
    return int(step.operands["n_rows"]), int(step.operands["n_columns"])


def kernel_row(executor: Any, steps: list[Step], label: str, total: float) -> list[str]:
    """Time the steps of one kernel and return a line of the table."""
    which = [i for i, step in enumerate(steps) if label_of(step) == label]
    tape = entries_of([tuple(entry[:5]) for entry in executor._ran.tape.entries[which]])
    tape[-1, 2] = True  # all meet at the end
    team = Team(executor.n_threads)
    took = seconds(partial(team.run, tape))
    team.close()
    speed = speeds([steps[i] for i in which], executor, took)
    return [label, str(len(which)), f"{1e3 * took:.3f}", f"{took / total:.1%}", *speed]


def speeds(steps: list[Step], executor: Any, took: float) -> list[str]:
    """Return int8 TOPS, and GB/s of weights, of matrix products."""
    fmt = next((f for f in all_formats().values() if kernel_is_of(steps[0], f)), None)
    if fmt is None:
        return ["-", "-"]
    n_weights = sum(int(np.prod(shape_of(step))) for step in steps)
    count = int(steps[0].operands["count"]) - address(executor._batch.header)
    n_tokens = executor._batch.header[count // 8]
    n_dots = 2 if "_a16" in steps[0].kernel.name else 1
    tops = 2 * n_dots * n_weights * n_tokens / took / 1e12
    is_int8 = isinstance(fmt.lanes, IntLanes)
    n_bytes = n_weights // fmt.n_columns * fmt.n_bytes
    return [f"{tops:.2f}" if is_int8 else "-", f"{n_bytes / took / 1e9:.1f}"]


def kernel_is_of(step: Step, fmt: Format) -> bool:
    return f"{step.kernel.name}_".startswith((f"linear_{fmt.name}_a", f"linear_{fmt.name}__"))


def seconds(run: Callable[[], None]) -> float:
    """Return the median time of some runs, while the machine is quiet."""

    def times() -> list[float]:
        found: list[float] = []
        end = perf_counter() + 0.5
        while len(found) < 5 or perf_counter() < end:
            start = perf_counter()
            run()
            found.append(perf_counter() - start)
        return found

    return median(when_quiet(times, OTHERS)[0])


if __name__ == "__main__":
    main()
