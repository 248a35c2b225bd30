"""ggjit, llama.cpp and OpenVINO in turn on the same files: tokens per second and their ratio.

    python bench/compare.py FILE.gguf ... --llama-bench [LABEL=]PATH --llama-python [LABEL=]PYTHON
        --openvino [LABEL=]PYTHON [-p 512] [-n 128] [-d 0 8192] [-b 1 8]

Peers may be repeated: the ratio is to the best of them, test by test. Every measurement
is one process for one test, ours and theirs alternating, so that a machine that is slower for a
minute is so for all; one is repeated if something else took processor time meanwhile. A cell shows
the median of all samples (least to most). Prints a markdown table, and the same figures with all
samples as JSON on the last line, which bench/plots.py draws.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from contestants import Contestant, Outcome, ggjit, llama_bench, llama_python, openvino
from quiet import when_quiet
from tables import machine_line, markdown, put_into

from ggjit.cli.bench_plan import BenchTest, plan

PEERS = {"llama-bench": llama_bench, "llama-python": llama_python, "openvino": openvino}
Results = dict[tuple[Path, BenchTest], dict[str, list[Outcome]]]


def main() -> None:
    """Measure all rounds and print."""
    args = parse()
    ours = [ggjit(bits) for bits in args.activations]
    peers = [*args.llama_bench, *args.llama_python, *args.openvino]
    tests = plan(args.prompt, args.gen, args.depth, args.sequences)
    results = measure([*ours, *peers], args, tests)
    header = ["file", "test", *(name for one in ours for name in (one.label, "ratio", "share"))]
    rows = [[file.stem, test.name, *cells(ours, peers, of)] for (file, test), of in results.items()]
    text = "\n".join([
        machine_line(),
        f"{args.threads} threads, {args.rounds} rounds of {args.repeats}, tokens/s: "
        "median (least to most).",
        "",
        markdown([*header, *(peer.label for peer in peers)], rows),
    ])  # fmt: skip
    print(text)
    if args.into:
        put_into(args.into, args.name, text)
    print(json.dumps({"name": args.name, "machine": machine_line(), "results": records(results)}))


def parse() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("-p", "--prompt", type=int, nargs="*", default=[512])
    parser.add_argument("-n", "--gen", type=int, nargs="*", default=[128])
    parser.add_argument("-d", "--depth", type=int, nargs="+", default=[0])
    parser.add_argument("-b", "--sequences", type=int, nargs="+", default=[1])
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-r", "--repeats", type=int, default=3, help="timed runs of a process (3)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each contestant (3)")
    for name, make in PEERS.items():
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="[LABEL=]PATH",
            type=partial(labelled, make, name),
        )  # fmt: skip
    parser.add_argument("--activations", type=int, nargs="+", default=[16, 8], metavar="BITS")
    parser.add_argument("--others", type=float, default=0.04, metavar="SHARE",
                        help="of the processors that others may take (0.04)")  # fmt: skip
    parser.add_argument("--into", type=Path, help="page to put the table into")
    parser.add_argument("--name", default="compare", help="of the place in it (compare)")
    return parser.parse_args()


def labelled(make: Callable[[str, str], Contestant], default: str, text: str) -> Contestant:
    """Make a contestant of `LABEL=PATH` or `PATH`."""
    label, _, path = text.rpartition("=")
    return make(path, label or default)


def measure(contestants: list[Contestant], args: Namespace, tests: list[BenchTest]) -> Results:
    """Run the rounds; who has failed at something is not asked again."""
    results: Results = {
        (file, test): {one.label: [] for one in contestants}
        for file in args.files
        for test in tests
    }
    for i in range(args.rounds):
        for (file, test), of in results.items():
            for one in contestants:
                done = of[one.label]
                if not done or not done[-1].failure:
                    run = partial(one.run, file, test, args.threads, args.repeats)
                    outcome, others = when_quiet(run, args.others)
                    done.append(outcome)
                    print(f"{i + 1}: {file.name} {test.name} {one.label}: {speed([outcome])}, "
                          f"others {others:.0%}", file=sys.stderr, flush=True)  # fmt: skip
    return results


def samples(outcomes: list[Outcome]) -> list[float]:
    """Return the tokens per second of every timed run."""
    return [ts for o in outcomes for ts in o.record.get("samples_ts", [])]


def speed(outcomes: list[Outcome]) -> str:
    """Return a cell: median and range, or how it failed."""
    if any(o.failure for o in outcomes):
        return next(o.failure for o in outcomes if o.failure)
    ts = samples(outcomes)
    return f"{median(ts):.1f} ({min(ts):.1f} to {max(ts):.1f})"


def cells(
    ours: list[Contestant], peers: list[Contestant], of: dict[str, list[Outcome]]
) -> list[str]:
    """Return a line: our speed, its ratio to the best peer, the share of the limit; theirs."""
    medians = [median(ts) for peer in peers if (ts := samples(of[peer.label]))]
    line = []
    for one in ours:
        ts = samples(of[one.label])
        ratio = f"{median(ts) / max(medians):.2f}" if ts and medians else "-"
        line += [speed(of[one.label]), ratio, share(of[one.label])]
    return [*line, *(speed(of[peer.label]) for peer in peers)]


def share(outcomes: list[Outcome]) -> str:
    """Return how much of the machine's limit we reached, as `ggjit bench` counts it."""
    cells = []
    for key, what in (("bandwidth_share", "of bandwidth"), ("peak_share", "of int8 peak")):
        found = [o.record[key] for o in outcomes if o.record.get(key) is not None]
        cells += [f"{median(found):.0%} {what}"] if found else []
    return ", ".join(cells) or "-"


def records(results: Results) -> list[dict[str, Any]]:
    """Return everything that was measured."""
    return [
        {
            "file": file.name, "test": test.name, "engine": label, "samples_ts": samples(outcomes),
            "median_ts": median(samples(outcomes) or [0.0]),
            "failure": next((o.failure for o in outcomes if o.failure), None),
            "bandwidth": [o.record.get("memory_bandwidth") for o in outcomes],
            "int8_peak": [o.record.get("int8_peak") for o in outcomes],
        }
        for (file, test), of in results.items()
        for label, outcomes in of.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
