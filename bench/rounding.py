"""Where the error of int8 activations comes from: the reference with some of its inputs rounded.

    python bench/rounding.py FILE.gguf [--passages 2] [--tokens 768]

Each row rounds the inputs of some matrix products as the CPU backend does (int8, a scale per 32
columns) or in another way, and leaves the rest in float32.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from divergence import HEADER, Float32, apart, cells, record
from passages import passages, running_text
from tables import markdown, put_into

import ggjit
from ggjit.backends import reference
from ggjit.graph import Linear
from ggjit.measure import pooled

Rounding = Callable[[Float32], Float32]

INPUTS = {  # by the last part of the weight's name
    "attn_q, attn_k, attn_v": ("attn_q", "attn_k", "attn_v"),
    "attn_output": ("attn_output",),
    "ffn_gate, ffn_up": ("ffn_gate", "ffn_up"),
    "ffn_down": ("ffn_down",),
    "output": ("output", "token_embd"),
}
EVERY = tuple(name for names in INPUTS.values() for name in names)


def main() -> None:
    """Measure every way of rounding and print."""
    args = parse()
    model = ggjit.load(args.file, backend="reference", context=args.tokens)
    ids = passages(model.tokenizer, running_text(args.text), args.passages, args.tokens)
    exact = [model.logits(passage) for passage in ids]
    rows, records = [], []
    for name, roundings in ways().items():
        results = []
        for passage, logits in zip(ids, exact, strict=True):
            with rounded_inputs(roundings):
                results.append(apart(logits, model.logits(passage), passage))
        result = pooled(results)
        rows.append([name, *cells(result)])
        records.append({"rounded": name, **record(result)})
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    report = f"{args.file.stem}, {args.passages} passages of {args.tokens} tokens, KL in nats.\n\n"
    report += markdown(["rounded inputs", *HEADER], rows)
    print(report)
    if args.into:
        put_into(args.into, "rounding", report)
    print(json.dumps({"file": args.file.name, "results": records}))


def parse() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--tokens", type=int, default=768)
    parser.add_argument("--passages", type=int, default=2)
    parser.add_argument("--into", type=Path, help="page to put the table into")
    return parser.parse_args()


def ways() -> dict[str, dict[str, Rounding]]:
    """Return what is rounded in each row, and how."""
    table = {"all": dict.fromkeys(EVERY, int8)}
    table |= {f"only {group}": dict.fromkeys(names, int8) for group, names in INPUTS.items()}
    table["all, int8 with a scale per 16"] = dict.fromkeys(EVERY, lambda x: int8(x, 16))
    table["all, int8 with the best of 9 scales"] = dict.fromkeys(EVERY, best_scale)
    table["all, 16 bits"] = dict.fromkeys(EVERY, lambda x: int8(x, 32, 127 * 128))
    return table


class rounded_inputs:  # noqa: N801
    """While entered, the reference backend rounds the inputs of products by weight name."""

    def __init__(self, roundings: dict[str, Rounding]) -> None:
        self.roundings = roundings

    def __enter__(self) -> None:
        self.linear = linear = reference.Step.linear

        def rounded(step: Any, op: Linear) -> Float32:
            name = op.weight.name.removesuffix(".weight").rpartition(".")[2]
            rounding, exact = self.roundings.get(name), step.values[op.x.name]
            if rounding:
                step.values[op.x.name] = rounding(exact)
            out = linear(step, op)
            step.values[op.x.name] = exact
            return out

        reference.Step.linear = rounded  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        reference.Step.linear = self.linear  # type: ignore[method-assign]


def int8(x: Float32, n: int = 32, most: int = 127) -> Float32:
    """Round blocks of n columns to integers of at most `most`, times the block's scale."""
    blocks = x.reshape(-1, n)
    scale = np.abs(blocks).max(-1, keepdims=True) / np.float32(most)
    return (np.rint(blocks / np.where(scale > 0, scale, 1)) * scale).reshape(x.shape)


def best_scale(x: Float32) -> Float32:
    """Round as int8, each block with that scale of a few that has the least squared error."""
    blocks = x.reshape(-1, 32)
    largest = np.abs(blocks).max(-1, keepdims=True)
    best, least = np.zeros_like(blocks), np.full((len(blocks), 1), np.inf, np.float32)
    for most in np.arange(123, 131.1, 1, np.float32):
        scale = np.where(largest > 0, largest / most, 1)
        rounded = np.clip(np.rint(blocks / scale), -127, 127) * scale
        error = ((rounded - blocks) ** 2).sum(-1, keepdims=True)
        best, least = np.where(error < least, rounded, best), np.minimum(error, least)
    return best.reshape(x.shape)


if __name__ == "__main__":
    main()
