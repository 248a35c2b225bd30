"""How exact each tensor type and each cache type is: mean KL divergence, a line for each.

    python bench/exactness_types.py types FILE.gguf --ggml LIBGGML_BASE [--types q4_k iq4_xs ...]
    python bench/exactness_types.py caches FILE.gguf ... [--caches f16 q8_0 q8_0,q4_0 ...]

`types`: the file's weights are encoded again as each type (make_files.py, rows widened to whole
blocks of 256), and every engine is compared with the float32 reference of that file. `caches`: the
file as it is, keys and values (`K,V` where they differ) kept as each type; the reference keeps them
in float32. With `--llama-python PYTHON` llama.cpp stands beside ours. Prints a markdown table, and
the figures as JSON on the last line.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gguf
import make_files
from divergence import record
from encode import Encoder
from exactness import Ids, compared
from passages import passages, running_text
from tables import machine_line, markdown, put_into

import ggjit
from ggjit.gguf import GGMLType as Type
from ggjit.measure import Divergence

TYPES = (
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k", "q4_1", "q4_0", "iq4_nl",
    "iq4_xs", "mxfp4", "nvfp4", "q3_k", "iq3_s", "iq3_xxs", "q2_k", "iq2_s", "iq2_xs", "iq2_xxs",
    "iq1_m", "iq1_s", "tq2_0", "tq1_0", "q2_0", "q1_0",
)  # fmt: skip
NAMES = [type.name.lower() for type in Type]
CACHES = ("f16", "bf16", "q8_0", "q4_0", "q8_0,q4_0")
Measured = Iterator[tuple[list[str], list[tuple[str, Divergence]]]]  # first cells, by engine


def main() -> None:
    """Measure every line and print."""
    args = parse()
    table, records = lines(args.head, args.measure(args))
    text = f"{machine_line()} {args.passages} passages of {args.tokens} tokens, "
    text += f"mean KL in nats (same top token).\n\n{table}"
    print(text)
    if args.into:
        put_into(args.into, args.name, text)
    print(json.dumps({"name": args.name, "machine": machine_line(), "results": records}))


def parse() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    types = commands.add_parser("types")
    types.set_defaults(measure=by_type, head=["type", "bits"], name="kl-by-type")
    types.add_argument("file", type=Path)
    types.add_argument("--types", nargs="+", default=TYPES, choices=NAMES, metavar="TYPE")
    types.add_argument("--ggml", type=Path, metavar="LIBRARY", help="llama.cpp's libggml-base")
    types.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files, use them again")
    caches = commands.add_parser("caches")
    caches.set_defaults(measure=by_cache, head=["file", "cache"], name="kl-by-cache")
    caches.add_argument("files", type=Path, nargs="+")
    caches.add_argument("--caches", nargs="+", default=CACHES, metavar="TYPE[,TYPE]")
    for command in (types, caches):
        command.add_argument("--text", type=Path, help="text file (default: an article, by pip)")
        command.add_argument("--tokens", type=int, default=768, help="of a passage (768)")
        command.add_argument("--passages", type=int, default=1, help="spread over the text (1)")
        command.add_argument("-t", "--threads", type=int, default=2)
        command.add_argument("--llama-python", type=Path, help="interpreter with llama-cpp-python")
        command.add_argument("--activations", type=int, nargs="+", default=[16, 8], metavar="BITS")
        command.add_argument("--into", type=Path, help="page to put the table into")
        command.set_defaults(one_by_one=False)
    return parser.parse_args()


def by_type(args: Namespace) -> Measured:
    """Yield what is found for the file in each type."""
    reader, encoder = gguf.GGUFReader(args.file), Encoder(args.ggml)
    ids = ids_for(args.file, args)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.types:
            type = Type[name.upper()]
            path = (args.keep or Path(folder)) / f"{args.file.stem}.wide.{name}.gguf"
            if not path.exists():
                make_files.write(reader, type, path, encoder, widen=True)
            bits = f"{8 * type.n_bytes / type.n_columns:.2f}"
            yield [name.upper(), bits], list(compared(path, ids, args))
            if not args.keep:
                path.unlink()


def by_cache(args: Namespace) -> Measured:
    """Yield what is found for each file and type of cache."""
    for file in args.files:
        ids = ids_for(file, args)
        for name in args.caches:
            k, _, v = name.partition(",")
            yield [file.stem, name], list(compared(file, ids, args, (k, v or k)))


def ids_for(file: Path, args: Namespace) -> Ids:
    """Return passages of the text in a file's tokens."""
    tokenizer = ggjit.load(file, vocab_only=True).tokenizer
    return passages(tokenizer, running_text(args.text), args.passages, args.tokens)


def lines(head: list[str], measured: Iterable[Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return a table, a column for each engine, and what was measured."""
    rows, records, engines = [], [], list[str]()
    for first, found in measured:
        engines = [engine for engine, _ in found]
        cells = [f"{d.mean_kl.value:.2e} ({d.same_top_share.value:.2%})" for _, d in found]
        rows.append([*first, *cells])
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
        named = dict(zip(head, first, strict=True))
        records += [{**named, "engine": engine, **record(d)} for engine, d in found]
    return markdown([*head, *engines], rows), records


if __name__ == "__main__":
    main()
