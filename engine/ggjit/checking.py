"""Reading all weights of a file once, to find damaged ones before they are computed with.

That rows are whole blocks, and that tensors are inside the file, is checked whenever one is opened.
"""

from __future__ import annotations

from .backends import Progress
from .formats import Format, find
from .formats.base import Bytes
from .gguf import GGUFFile, Tensor

SLICE = 1 << 20  # bytes


def damaged_tensors(file: GGUFFile, progress: Progress | None = None) -> list[str]:
    """Return a sentence about each tensor that has values which are NaN or infinite."""
    report = progress or (lambda what, done, total: None)
    n_done, n_bytes = 0, sum(tensor.data.nbytes for tensor in file.tensors.values())
    found = []
    for tensor in file.tensors.values():
        report("checking", n_done, n_bytes)
        if (row := first_damaged_row(tensor)) is not None:
            what = f"row {row} has values that are not finite"
            found.append(f"{tensor.path}: tensor {tensor.name!r} ({tensor.type.name}): {what}")
        n_done += tensor.data.nbytes
    report("checking", n_done, n_bytes)
    return found


def check_tensors(file: GGUFFile, progress: Progress | None = None) -> None:
    """Raise ValueError naming damaged tensors, if there are any."""
    found = damaged_tensors(file, progress)
    if found:
        more = f"; {len(found) - 1} more tensors are damaged" if len(found) > 1 else ""
        raise ValueError(found[0] + more)


def first_damaged_row(tensor: Tensor) -> int | None:
    """Return the first row in which something is NaN or infinite; rows of all matrices count on."""
    if not tensor.data.nbytes:
        return None
    fmt = find(tensor)
    n_columns = tensor.shape[-1] if tensor.shape else 1
    rows = tensor.data.reshape(-1, n_columns // fmt.n_columns, fmt.n_bytes)
    step = max(1, SLICE // rows[0].nbytes)
    for start in range(0, len(rows), step):
        if not fmt.finite(rows[start : start + step]):
            return start + _first(fmt, rows[start : start + step])
    return None


def _first(fmt: Format, rows: Bytes) -> int:
    return next(i for i, row in enumerate(rows) if not fmt.finite(row))
