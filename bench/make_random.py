"""A GGUF file with random weights in the shape of a known model, to measure with.

    python bench/make_random.py ARCH SHAPE [-o OUT] [--type q4_0] [--layers N] [--experts N] ...

Without arguments: lists the shapes, such as `qwen3 0.6b`. The file is what the converter makes of a
checkpoint of that shape, so that llama.cpp runs it too; tensors are made as they are written. The
vocabulary is bytes and unused tokens, and what the model says is noise. Of large models a file has
the first few layers unless more are asked for. `tiny` is a small model of the architecture's first
shape, `tiny-SHAPE` of another. The same names give the same file.
"""

from __future__ import annotations

import math
from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path

from random_models import SHAPES, TINY, Origin, config_of
from random_models.families import tensors_of

from ggjit_convert.conversion import Conversion


def main() -> None:
    """Read the command line and write the file."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("arch", nargs="?")
    parser.add_argument("shape", nargs="?")
    parser.add_argument("-o", "--out", type=Path, help="file, or folder (ARCH-SHAPE-TYPE.gguf)")
    parser.add_argument("--type", default="q4_0", help="(q4_0) as of ggjit convert")
    for name in ("layers", "experts", "vocab"):
        parser.add_argument(f"--{name}", type=int, metavar="N")
    args = parser.parse_args()
    if args.arch not in (None, *SHAPES):
        parser.error(f"architecture {args.arch!r} is none of {', '.join(SHAPES)}")
    if args.shape is None:
        print(listing(args.arch))
        return
    try:
        path = make(
            args.arch, args.shape, args.out, args.type, n_layers=args.layers,
            n_experts=args.experts, n_vocab=args.vocab,
        )  # fmt: skip
    except ValueError as error:
        parser.error(str(error))
    print(path)


def make(arch: str, shape: str, out: Path | None, type: str = "q4_0", **sizes: int | None) -> Path:
    """Write a file over any of its name; `sizes` are those of `config_of`. Raises: ValueError."""
    origin = Origin(f"{arch}-{shape}", config_of(arch, shape, **sizes))
    conversion = Conversion.of(origin, type)
    return conversion.write(conversion.place(out), force=True, n_threads=None)


def listing(only: str | None) -> str:
    """Return a line for each shape: names, layers by default and in all, parameters of a file."""
    lines = [f"{'architecture':14} {'shape':10} {'layers':>8} parameters"]
    for arch, shapes in SHAPES.items():
        for shape in (*shapes, TINY) if only in (None, arch) else ():
            c = config_of(arch, shape)
            n, whole = c["num_hidden_layers"], shapes.get(shape, c)["num_hidden_layers"]
            layers = str(n) if n == whole else f"{n} of {whole}"
            size = sum(math.prod(shape) for shape in tensors_of(c).values())
            lines.append(f"{arch:14} {shape:10} {layers:>8} {size / 1e9:9.2f} B")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
