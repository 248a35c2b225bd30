"""Whether llama.cpp loads a file of every architecture, and how far its predictions are from ours.

    python bench/loads_in_llama.py LLAMA_PERPLEXITY [ARCH...] [--into docs/design.md]

Every shape that make_random.py knows, made small (`make_random.py ARCH tiny-SHAPE`), is written in
F32 and predicts the same text in llama-perplexity, with keys and values in float32, and on our
reference backend. Prints a markdown table of mean KL divergences: shapes that agree share a line.
"""

from __future__ import annotations

import subprocess
import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from make_random import make
from random_models import SHAPES, TINY
from tables import markdown, put_into

import ggjit
from ggjit.backends import Float32
from ggjit.measure import LogitsFile, cut, log_softmax
from ggjit.measure.logits_file import n_scored

TEXT = Path(__file__).parents[1] / "LICENSE"
WINDOW, N_WINDOWS = 128, 4  # tokens
ROUNDING, AGREE = 2e-9, 1e-8  # nats: what is left of a kept file's steps; what is taken for it
HEAD = ("architecture", "shapes", "in llama.cpp", "KL", "why")
GELU = "llama.cpp's GELU is a table with float16 in and out"
WHY = {  # where shapes of an architecture do not agree
    "gemma": GELU, "gemma2": GELU, "gemma3": GELU, "gpt2": GELU,
    "phi3": "llama.cpp leaves the window out",
    "deepseek2": "llama.cpp scores a group of experts by its best two, not its best",
    "gpt-oss": "llama.cpp rounds the bounds of YaRN's ramp",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Of a shape: why llama.cpp does not load it, or how far our predictions are from its."""

    shape: str
    failure: str = ""
    kl: float = 0.0

    def cells(self, arch: str) -> tuple[str, str, str]:
        """Return what is said of it, the divergence, and why."""
        if self.failure:
            return self.failure, "-", "unknown"
        why = "" if self.kl < AGREE else WHY.get(arch, "unknown")
        return "loads", f"{max(self.kl, ROUNDING):.0e}", why


def main() -> None:
    """Compare and print."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("llama", type=Path, help="llama-perplexity, or the folder that has it")
    parser.add_argument("archs", nargs="*", metavar="ARCH", help="(all)")
    parser.add_argument("--into", type=Path, help="page to put the table into")
    parser.add_argument("-t", "--threads", type=int, default=1)
    args = parser.parse_args()
    program = args.llama / "llama-perplexity" if args.llama.is_dir() else args.llama
    table = []
    for arch in args.archs or SHAPES:
        found = [compared(arch, shape, program, args.threads) for shape in SHAPES[arch]]
        for row in rows(arch, found):
            table.append(row)
            print(*row, sep="  ", flush=True)
    text = markdown(HEAD, table)
    print(text)
    if args.into:
        put_into(args.into, "loads-in-llama", text)


def compared(arch: str, shape: str, program: Path, n_threads: int) -> Found:
    """Measure one shape."""
    with tempfile.TemporaryDirectory() as folder:
        path, kept = Path(folder) / "model.gguf", Path(folder) / "logits"
        make(arch, f"{TINY}-{shape}", path, "f32")
        if failure := run_llama(program, path, kept, n_threads):
            return Found(shape, failure)
        return Found(shape, kl=mean_kl(path, LogitsFile(kept)))


def run_llama(program: Path, model: Path, kept: Path, n_threads: int) -> str:
    """Keep llama.cpp's predictions in a file; return why it could not, "" if it did."""
    command = [program, "-m", model, "-f", TEXT, "-c", WINDOW, "--chunks", N_WINDOWS,
               "-t", n_threads, "-fa", "off", "-ctk", "f32", "-ctv", "f32", "--no-warmup",
               "--kl-divergence-base", kept]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    return lines[0].partition("error")[2].strip(" :") if lines else f"exit code {done.returncode}"


def mean_kl(path: Path, base: LogitsFile) -> float:
    """Return the mean divergence of our predictions from llama.cpp's.

    Raises: ValueError if the text has other tokens in llama.cpp.
    """
    n = base.ids.shape[1]
    model = ggjit.load(path, backend="reference", context=n)
    if not np.array_equal(cut(model.tokenizer.encode(TEXT.read_text()), n, N_WINDOWS), base.ids):
        raise ValueError(f"{path}: llama.cpp has other tokens")
    found = []
    for i, ids in enumerate(base.ids):
        theirs = base.log_probs(i, 0, n_scored(n))
        found += map(kl, theirs, model.logits(ids)[n // 2 : -1])
    return float(np.mean(found))


def kl(theirs: Float32, logits: Float32) -> float:
    """Return the divergence from log probabilities as a file keeps them.

    They are in steps of 2e-4 nats, and of the least likely tokens nothing is known: others alone
    are compared, whose sum is made one again.
    """
    known = theirs > theirs.min()
    log_p, log_q = log_softmax(theirs[known]), log_softmax(logits[known])
    return float(np.sum(np.exp(log_p) * (log_p - log_q)))


def rows(arch: str, found: list[Found]) -> Iterator[list[str]]:
    """Yield a line for all shapes of which the same is said."""
    shapes: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        shapes.setdefault(one.cells(arch), []).append(one.shape)
    for cells, names in shapes.items():
        yield [f"`{arch}`", ", ".join(names), *cells]


if __name__ == "__main__":
    main()
