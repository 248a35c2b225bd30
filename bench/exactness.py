"""How exact the CPU backend is: KL divergence from the float32 reference, llama.cpp's beside it.

    python bench/exactness.py FILE.gguf ... [--llama-python PYTHON] [--passages 4] [--tokens 768]

For each file, the same token ids go through the reference backend (float32 on decoded weights),
the CPU backend, and llama.cpp if an interpreter with llama-cpp-python is named. Each passage starts
from an empty context. Also checked: that the CPU backend's logits are bit for bit the same with
one and two threads, and for a passage fed whole, in pieces of 7 or token by token. Prints markdown
tables, and the same figures as JSON on the last line.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from divergence import HEADER, Float32, apart, cells, record
from passages import passages, running_text
from tables import machine_line, markdown, put_into

import ggjit
from ggjit.measure import Divergence, pooled

Ids = npt.NDArray[np.int32]
PEER = Path(__file__).with_name("llama_peer.py")
THREADS = (1, 2)
SIZES = {"whole": 1 << 20, "pieces of 7": 7, "one by one": 1}
WAYS = [f"{n} thread{'s' * (n > 1)}, {how}" for n in THREADS for how in SIZES][1:]


def main() -> None:
    """Measure every file and print."""
    args = parse()
    text = running_text(args.text)
    rows, checks, records = [], [], []
    for path in args.files:
        tokenizer = ggjit.load(path, vocab_only=True).tokenizer
        ids = passages(tokenizer, text, args.passages, args.tokens)
        for engine, result in compared(path, ids, args):
            rows.append([path.stem, engine, *cells(result)])
            records.append({"file": path.name, "engine": engine, **record(result)})
        for bits in () if args.no_bits else args.activations:
            found = ["same" if same else "**different**" for same in same_bits(path, ids[0], bits)]
            checks.append([path.stem, f"{bits} bits", *found])
    report = "\n".join(page(args, rows, checks))
    print(report)
    if args.into:
        put_into(args.into, "exactness", report)
    print(json.dumps({"tokens": args.tokens, "passages": args.passages, "results": records}))


def parse() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--text", type=Path, help="text file (default: an article, by pip)")
    parser.add_argument("--tokens", type=int, default=768, help="of a passage (768)")
    parser.add_argument("--passages", type=int, default=4, help="spread over the text (4)")
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("--llama-python", type=Path, help="interpreter with llama-cpp-python")
    parser.add_argument("--activations", type=int, nargs="+", default=[16, 8], metavar="BITS")
    parser.add_argument("--one-by-one", action="store_true", help="feed llama.cpp token by token")
    parser.add_argument("--no-bits", action="store_true", help="leave the check of bits out")
    parser.add_argument("--into", type=Path, help="page to put the tables into")
    return parser.parse_args()


def page(args: Namespace, rows: list[list[str]], checks: list[list[str]]) -> Iterator[str]:
    """Yield the paragraphs of the report."""
    yield f"{machine_line()} {args.passages} passages of {args.tokens} tokens, KL in nats.\n"
    yield markdown(["file", "engine", *HEADER], rows)
    if checks:
        yield "\nThe first passage, bit for bit the logits of one thread that is fed it whole:\n"
        yield markdown(["file", "activations", *WAYS], checks)


def compared(
    path: Path, ids: Ids, args: Namespace, cache: tuple[str, str] = ("f16", "f16")
) -> Iterator[tuple[str, Divergence]]:
    """Yield the divergence of each engine from the reference; `cache`: types of keys and values."""
    n_context = ids.shape[1]
    reference = ggjit.load(path, backend="reference", context=n_context)
    models = {
        f"ggjit, {bits} bits": ggjit.load(
            path,
            threads=args.threads,
            context=n_context,
            activations=bits,
            cache_type_k=cache[0],
            cache_type_v=cache[1],
        )
        for bits in args.activations
    }
    found: dict[str, list[Divergence]] = {name: [] for name in models}
    with tempfile.TemporaryDirectory() as folder:
        theirs = llama_logits(path, ids, args, Path(folder), cache) if args.llama_python else None
        for i, passage in enumerate(ids):
            exact = reference.logits(passage)
            for name, model in models.items():
                found[name].append(apart(exact, model.logits(passage), passage))
            if theirs is not None:
                found.setdefault("llama.cpp", []).append(apart(exact, theirs[i], passage))
    for name, parts in found.items():
        yield name, pooled(parts)


def llama_logits(
    path: Path, ids: Ids, args: Namespace, folder: Path, cache: tuple[str, str]
) -> Any:
    """Return llama.cpp's logits [passages, tokens, n_vocab], mapped from a file."""
    np.save(folder / "ids.npy", ids)
    command = [args.llama_python, PEER, "logits", path, folder / "ids.npy", folder / "logits.npy"]
    options = ["-t", str(args.threads), *["--one-by-one"] * args.one_by_one, "--cache", *cache]
    subprocess.run([*map(str, command), *options], check=True)
    return np.load(folder / "logits.npy", mmap_mode="r")


def same_bits(path: Path, ids: Ids, activations: int) -> list[bool]:
    """Tell for each of WAYS whether it gives the logits of one thread that is fed all ids."""
    found = []
    for n_threads in THREADS:
        model = ggjit.load(path, threads=n_threads, context=len(ids), activations=activations)
        for size in SIZES.values():
            found.append(in_pieces(model, ids, size))
    return [same(one, found[0]) for one in found[1:]]


def in_pieces(model: ggjit.Model, ids: Ids, size: int) -> tuple[Float32, Float32]:
    """Run `size` tokens at a time; return the logits after every token, and only the last ones.

    The last ones are made apart: asked for all logits, the backend takes fewer tokens at once.
    """
    run, pieces = model.executor.run, [ids[i : i + size] for i in range(0, len(ids), size)]
    state = model.executor.new_state()
    every = np.concatenate([run(state, piece, "all") for piece in pieces])
    state = model.executor.new_state()
    return every, [run(state, piece, "last") for piece in pieces][-1]


def same(a: tuple[Float32, Float32], b: tuple[Float32, Float32]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


if __name__ == "__main__":
    main()
