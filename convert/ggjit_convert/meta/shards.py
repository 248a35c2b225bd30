"""Files of a model in parts: each has some rows, or some columns, of every matrix.

Source: fairscale's layers that Meta's llama/model.py has; column-parallel ones part their outputs,
row-parallel ones their inputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..arrays import Array
from ..errors import CheckpointError
from ..sources.files import inside
from ..sources.shards import read_file, read_folder
from ..transforms import joined, side_by_side
from .params import EMBEDDING

PARTS = "consolidated.[0-9][0-9].pth"
BY_COLUMNS = re.compile(r"\.(attention\.wo|feed_forward\.w2)\.weight$")
WHOLE = re.compile(r"norm\.weight$|rope\.freqs$")  # in every file


def read_consolidated(folder: Path, n_embd: Any) -> dict[str, Array]:
    """Read the tensors of a folder, whose embeddings have `n_embd` columns.

    Raises: CheckpointError for parts that are missing or do not fit; OSError.
    """
    names = sorted(path.name for path in folder.glob(PARTS))
    if len(names) < 2:
        return read_folder(folder)
    _check_numbers(folder, names)
    files = {name: read_file(inside(folder, name)) for name in names}
    first = files[names[0]]
    for name, tensors in files.items():
        odd = [tensor for tensor in {*tensors, *first} if not _fits(tensor, tensors, first)]
        if odd:
            problem = f"is not as it is in {names[0]}"
            field = f"tensor {min(odd)[:96]!r}"
            raise CheckpointError(problem, path=folder / name, field=field)
    return {name: _joined(name, [f[name] for f in files.values()], n_embd) for name in first}


def _check_numbers(folder: Path, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if int(name.split(".")[1]) != i:
            problem = f"holds no consolidated.{i:02}.pth, but {names[-1]}"
            raise CheckpointError(problem, path=folder)


def _fits(name: str, tensors: Mapping[str, Array], others: Mapping[str, Array]) -> bool:
    """Tell whether both have a tensor, in the same shape."""
    both = name in tensors and name in others
    return both and tensors[name].shape == others[name].shape


def _joined(name: str, parts: Sequence[Array], n_embd: Any) -> Array:
    shape = parts[0].shape
    if WHOLE.search(name):
        return parts[0]
    # Llama 3 parts tokens, those before the columns of their embeddings
    by_columns = shape[1:] != (n_embd,) if name == EMBEDDING else bool(BY_COLUMNS.search(name))
    return side_by_side(parts) if by_columns and len(shape) > 1 else joined(parts)
