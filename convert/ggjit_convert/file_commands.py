"""`ggjit set-metadata`, `split` and `merge`: GGUF files of the same tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ggjit.cli.flags import option

from .flags import Force
from .status import telling

if TYPE_CHECKING:
    from ggjit.gguf import Tensor

    from .writing import File

N_THREADS = 2  # one reads ahead


def set_metadata(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file.")],
    key: Annotated[str | None, typer.Argument(metavar="KEY", show_default=False)] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", show_default=False,
                                   help="Arrays as JSON has them; -- goes before -1."),
    ] = None,
    type: Annotated[
        str | None, option("--type", metavar="TYPE",
                           help="u32, f32, str, bool, arr[str], ... (default: the key's own)."),
    ] = None,
    remove: Annotated[
        list[str] | None, option("--remove", metavar="KEY", help="Leave a key out.")
    ] = None,
    out: Annotated[
        Path | None, option("-o", "--output", metavar="FILE",
                            help="The file to write (default: FILE is replaced)."),
    ] = None,
    force: Force = False,
) -> None:  # fmt: skip
    """Change metadata of a GGUF file, in place.

    Without -o FILE, or what it links to, is replaced, --force or not, once the new file is whole.
    """
    from .metadata import Metadata

    if (key is None) != (value is None) or (key is None and not remove):
        raise ValueError("set-metadata needs a KEY and its VALUE, or --remove KEY")
    metadata = Metadata(path)
    for name in remove or ():
        metadata.remove(name)
    if key is not None and value is not None:
        metadata.set(key, value, type)
    _write([metadata.file(out or path.resolve())], force or out is None)


def split(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A GGUF file.")],
    prefix: Annotated[
        Path, typer.Argument(metavar="OUT_PREFIX", help="Of PREFIX-00001-of-0000N.gguf.")
    ],
    max_tensors: Annotated[
        int | None, option("--split-max-tensors", metavar="N", help="Tensors of a file (128).")
    ] = None,
    max_size: Annotated[
        str | None, option("--split-max-size", metavar="SIZE", help="Bytes of a file: 500M, 2G.")
    ] = None,
    no_tensor_first: Annotated[
        bool, typer.Option("--no-tensor-first-split", help="Metadata alone in the first file.")
    ] = False,
    force: Force = False,
) -> None:
    """Split a GGUF file into several, as gguf-split does."""
    from ggjit.gguf import open_gguf

    from . import splitting

    if max_tensors is not None and max_size is not None:
        raise ValueError("--split-max-tensors and --split-max-size exclude each other")
    file = open_gguf(source)
    tensors = list(file.tensors.values())
    if max_size is not None:
        shards = splitting.shards_of_size(tensors, splitting.bytes_of(max_size))
    else:
        shards = splitting.shards_of_count(
            tensors, splitting.MAX_TENSORS if max_tensors is None else max_tensors
        )
    first: list[list[Tensor]] = [[]] if no_tensor_first or not shards else []
    _write(splitting.split(file, prefix, [*first, *shards]), force)


def merge(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A file of the set, IN-00001-of-0000N.gguf.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    force: Force = False,
) -> None:
    """Make one GGUF file of a split one."""
    from . import splitting
    from .writing import check_apart

    check_apart(source, out)
    _write([splitting.merge(source, out)], force)


def _write(files: Sequence[File], force: bool) -> None:
    from .writing import check_absent, write

    check_absent([file.path for file in files], force)
    with telling() as progress:
        write(files, N_THREADS, progress)
    for file in files:
        print(file.path)
