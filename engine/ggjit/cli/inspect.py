"""What `ggjit inspect` shows of a GGUF file: as data for `--json`, or as tables.

Shapes are in NumPy order (rows, cols). Values are shown, not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from ..gguf import GGUFFile, Tensor, Value, printable, shorten
from .wording import counted

MAX_LISTED = 16  # longer arrays are summarised
N_FIRST = 8
MAX_TEXT = 120  # characters of a string in a table
MAX_ELEMENT = 24  # characters of a string in an array in a table
MAX_NAME_COLUMNS = 40  # of a terminal

Row: TypeAlias = "tuple[str, ...]"


class PipedConsole(Console):
    """A console that leaves it to others what happens when its reader has left."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def describe(file: GGUFFile) -> dict[str, Any]:
    """Return what the file holds as values that `json.dumps` takes.

    A long array becomes {"type", "length", "first"}; a float that is not finite, its name.
    """
    return {
        "paths": [str(path) for path in file.paths],
        "version": file.version,
        "metadata": {key: _plain(value, file.types[key]) for key, value in file.metadata.items()},
        "metadata_types": dict(file.types),
        "tensors": [_describe_tensor(tensor) for tensor in file.tensors.values()],
        "totals": _totals(list(file.tensors.values())),
    }


def print_description(file: GGUFFile, console: Console) -> None:
    """Print the file's summary, metadata and tensors: folded on a terminal, whole in a pipe."""
    totals = _totals(list(file.tensors.values()))
    for line in _summary(file, totals):
        console.print(Text(printable(line)), soft_wrap=True)
    _print_table(console, ("key", "type", "value"), _metadata_rows(file))
    if file.tensors:
        rows = _tensor_rows(file.tensors.values())
        _print_table(console, ("tensor", "type", "shape", "bytes"), rows, right=(3,))
        names = ("type", "tensors", "parameters", "bytes", "share")
        _print_table(console, names, _type_rows(totals), right=(1, 2, 3, 4))


def _describe_tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "type": tensor.type.name,
        "shape": list(tensor.shape),
        "bytes": tensor.data.nbytes,
        "offset": tensor.offset,
        "file": str(tensor.path),
    }


def _totals(tensors: Sequence[Tensor]) -> dict[str, Any]:
    by_type: dict[str, dict[str, int]] = {}
    for tensor in tensors:
        entry = by_type.setdefault(tensor.type.name, {"n_tensors": 0, "n_params": 0, "bytes": 0})
        entry["n_tensors"] += 1
        entry["n_params"] += tensor.n_elements
        entry["bytes"] += tensor.data.nbytes
    n_params = sum(entry["n_params"] for entry in by_type.values())
    n_bytes = sum(entry["bytes"] for entry in by_type.values())
    return {
        "n_tensors": len(tensors),
        "n_params": n_params,
        "bytes": n_bytes,
        "bits_per_weight": round(8 * n_bytes / n_params, 4) if n_params else None,
        "by_type": dict(sorted(by_type.items(), key=lambda item: -item[1]["bytes"])),
    }


def _plain(value: Value, kind: str) -> Any:
    """Return a metadata value without NumPy and without what JSON cannot say."""
    if isinstance(value, (list, np.ndarray)):
        if len(value) <= MAX_LISTED:
            return [_plain_number(item, kind) for item in _items(value)]
        first = [_plain_number(item, kind) for item in _items(value[:N_FIRST])]
        return {"type": kind, "length": len(value), "first": first}
    return _plain_number(value, kind)


def _items(values: Any) -> list[Any]:
    return values if isinstance(values, list) else values.tolist()


def _plain_number(value: Any, kind: str) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return str(value)
    # The shortest decimal that is the same float32: 1e-05, not 9.999999747378752e-06.
    return float(str(np.float32(value))) if "f32" in kind else value


def _summary(file: GGUFFile, totals: dict[str, Any]) -> Iterable[str]:
    yield from (str(path) for path in file.paths)
    n_keys, n_tensors = counted(len(file.metadata), "key"), counted(len(file.tensors), "tensor")
    yield f"GGUF version {file.version}, {n_keys}, {n_tensors}"
    if totals["n_params"]:
        bits = totals["bits_per_weight"]
        params, size = _count(totals["n_params"]), _size(totals["bytes"])
        yield f"{params} parameters, {size}, {bits:.2f} bits per weight"


def _metadata_rows(file: GGUFFile) -> Iterable[Row]:
    for key, value in file.metadata.items():
        kind = file.types[key]
        if isinstance(value, (list, np.ndarray)):
            kind = f"{kind[:-1]},{len(value)}]"
        yield printable(key), kind, _shown(value, file.types[key])


def _tensor_rows(tensors: Iterable[Tensor]) -> Iterable[Row]:
    for tensor in tensors:
        shape = " × ".join(str(dim) for dim in tensor.shape) or "scalar"
        yield printable(tensor.name), tensor.type.name, shape, f"{tensor.data.nbytes:,}"


def _type_rows(totals: dict[str, Any]) -> Iterable[Row]:
    for name, entry in totals["by_type"].items():
        share = entry["bytes"] / totals["bytes"] if totals["bytes"] else 0.0
        n_tensors, n_params = str(entry["n_tensors"]), f"{entry['n_params']:,}"
        yield name, n_tensors, n_params, f"{entry['bytes']:,}", f"{share:.1%}"


def _print_table(
    console: Console, names: Row, rows: Iterable[Row], right: Sequence[int] = ()
) -> None:
    rows = list(rows)
    widths = [max(map(cell_len, column)) for column in zip(names, *rows, strict=True)]
    console.print()
    if not console.is_terminal:
        lines = [_aligned(row, widths, right) for row in (names, *rows)]
        console.print(Text("\n".join(lines)), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, name in enumerate(names):
        # The first column holds names: it folds only when the others cannot give way.
        width = min(widths[i], MAX_NAME_COLUMNS) if i == 0 else None
        justify: JustifyMethod = "right" if i in right else "left"
        table.add_column(name, width=width, overflow="fold", justify=justify)
    for row in rows:
        # Text, not str: brackets in a file's strings are not markup.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _aligned(row: Row, widths: Sequence[int], right: Sequence[int]) -> str:
    cells = []
    for i, cell in enumerate(row):
        blank = " " * (widths[i] - cell_len(cell))
        cells.append(blank + cell if i in right else cell + blank)
    return "  ".join(cells).rstrip()


def _shown(value: Value, kind: str) -> str:
    """Return a metadata value as one line for the table."""
    if isinstance(value, str):
        return _shown_text(value)
    if not isinstance(value, (list, np.ndarray)):
        return str(_plain_number(value, kind))
    items = [_shown_item(item, kind) for item in _items(value[:N_FIRST])]
    return "[" + ", ".join([*items, "…"] if len(value) > N_FIRST else items) + "]"


def _shown_text(value: str) -> str:
    if len(value) <= MAX_TEXT:
        return printable(value)
    return f"{printable(shorten(value, MAX_TEXT))} ({len(value):,} characters)"


def _shown_item(item: Any, kind: str) -> str:
    if isinstance(item, str):
        return f"'{printable(shorten(item, MAX_ELEMENT))}'"
    return str(_plain_number(item, kind))


def _count(n: int) -> str:
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if n >= size:
            return f"{n / size:.2f} {unit}"
    return str(n)


def _size(n_bytes: int) -> str:
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n_bytes >= size:
            return f"{n_bytes / size:.2f} {unit}"
    return f"{n_bytes} bytes"
