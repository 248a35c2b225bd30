"""Importance matrices made: a model reads a text, and squares of what it multiplies are added up.

The text is cut into windows, each from an empty context and, where the model wants a BOS token,
with it in the place of the first one, as llama.cpp's tools/imatrix does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ggjit.backends import Logits
from ggjit.backends.cpu.square_sums import SquareSums, SummingExecutor
from ggjit.gguf import GGUFFile, open_gguf
from ggjit.graph import HeadLinear
from ggjit.loading import context_length
from ggjit.measure import cut
from ggjit.models import architecture_of
from ggjit.text import Tokenizer

from .arrays import Floats
from .writing import Progress


@dataclass(frozen=True, eq=False)
class Sums:
    """Of one tensor. Shapes: squares [n_matrices, n_columns], n_rows [n_matrices].

    Matrices are experts; those of heads, which all multiply as many rows, are one wide one.
    """

    squares: Floats
    n_rows: Floats


@dataclass(frozen=True, eq=False)
class Collected:
    """Sums by tensor, of so many windows of a text."""

    sums: dict[str, Sums]
    n_windows: int
    window: int
    text: str

    def unseen(self) -> list[str]:
        """Return tensors with experts that no token chose, a line each."""
        missing = {name: int((s.n_rows == 0).sum()) for name, s in self.sums.items()}
        return [
            f"{name}: {n} of {len(self.sums[name].n_rows)} experts were never chosen"
            for name, n in missing.items()
            if n
        ]


def collect(
    model: Path, text: Path, window: int, n_most: int | None, with_output: bool,
    n_threads: int | None, progress: Progress,
) -> Collected:  # fmt: skip
    """Run a model over a text.

    Raises: GGUFError for a bad model; ValueError for a text that is too short or no UTF-8.
    """
    with open_gguf(model) as file:
        tokenizer, n_context = Tokenizer.from_gguf(file), context_length(file, window)
        ids = tokenizer.encode(_read(text), bos=tokenizer.add_bos)
        windows = cut(ids, window, n_most)
        if tokenizer.add_bos and tokenizer.bos_id is not None:
            windows[:, 0] = tokenizer.bos_id
        graph = architecture_of(file).build(file, n_context)
        executor = SummingExecutor(graph, n_context, n_threads, progress)
        state, wanted = executor.new_state(), _wanted(with_output)
        for i, window_ids in enumerate(windows):
            progress("windows", i, len(windows))
            state.truncate(0)
            executor.run(state, window_ids, wanted)
        heads = {op.weight.name for op in graph.ops if isinstance(op, HeadLinear)}
        found = {n: _sums(of, n in heads) for n, of in executor.square_sums.items()}
        sums = dict(_fitting(file, found, with_output))
    for name, of in sums.items():
        if not np.isfinite(of.squares).all():
            raise ValueError(f"{model}: what {name!r} multiplies is not finite")
    return Collected(sums, len(windows), window, str(text))


def _wanted(with_output: bool) -> Logits:
    return "all" if with_output else "none"


def _sums(of: SquareSums, is_of_heads: bool) -> Sums:
    squares, n_rows = of.sums.astype(np.float32), of.n_rows.astype(np.float32)
    return Sums(squares.reshape(1, -1), n_rows[:1]) if is_of_heads else Sums(squares, n_rows)


def _fitting(
    file: GGUFFile, found: dict[str, Sums], with_output: bool
) -> Iterator[tuple[str, Sums]]:
    """Yield sums of the file's tensors, by name; parts of a tensor multiply the same columns."""
    seen: set[str] = set()
    for name, sums in sorted(found.items()):
        whole = name.partition("[")[0]
        tensor = file.tensors.get(whole)
        wanted = whole.startswith("blk.") or (with_output and whole == "output.weight")
        if tensor is None or not wanted or whole in seen:
            continue
        n_matrices = tensor.shape[0] if len(tensor.shape) == 3 else 1
        if sums.squares.size == n_matrices * tensor.shape[-1]:
            seen.add(whole)
            yield whole, sums


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 at byte {error.start}") from None
