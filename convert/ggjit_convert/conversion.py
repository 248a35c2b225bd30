"""From a checkpoint, or a GGUF file, to a GGUF file of a type."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .encoding import encoded
from .importance import Importance
from .keys import Keys
from .notes import notes_on
from .origins import FromGGUF, Origin, origin_at
from .plan import Planned
from .quantize.policy import Wishes
from .types import AUTO, CONVERTED, Choice
from .writing import File, Progress, check_absent, check_apart, no_progress, write

GGML_QUANT_VERSION = 2


def convert(
    source: Path | str, out: Path | str, type: str = "auto", *, force: bool = False,
    n_threads: int | None = None, progress: Progress = no_progress, vocabulary: bool = True,
    lora: Sequence[str] = (), base: Path | str | None = None,
) -> Path:  # fmt: skip
    """Convert a checkpoint, or an adapter of a base, to a GGUF file; return the file.

    Without `vocabulary` the tokenizer is left out; `lora` are adapters to merge, ADAPTER[:SCALE].
    Raises: CheckpointError for a bad checkpoint; ValueError for a bad wish; OSError.
    """
    conversion = Conversion.of(origin_at(source, vocabulary=vocabulary, lora=lora, base=base), type)
    return conversion.write(conversion.place(out), force, n_threads, progress)


def requantize(
    source: Path | str, out: Path | str, type: str, *, force: bool = False,
    n_threads: int | None = None, progress: Progress = no_progress,
) -> Path:  # fmt: skip
    """Make a GGUF file of another type of one; return the file. Raises: ValueError; OSError."""
    check_apart(Path(source), Path(out))
    conversion = Conversion.of(FromGGUF(Path(source)), type)
    return conversion.write(conversion.place(out), force, n_threads, progress)


@dataclass(frozen=True, eq=False)
class Conversion:
    """What was found to be whole, and what will be made of it."""

    origin: Origin
    choice: Choice
    plan: list[Planned]
    importance: Importance | None = None

    @classmethod
    def of(
        cls, origin: Origin, type: str, wishes: Wishes | None = None,
        importance: Importance | None = None,
    ) -> Conversion:  # fmt: skip
        """Plan. Raises: ValueError for a type there is not, or importance that does not fit."""
        choice = Choice.of(type, wishes, importance is not None)
        if origin.is_adapter and choice.name not in (AUTO, *CONVERTED):
            known = ", ".join((AUTO, *CONVERTED)).lower()
            raise ValueError(f"an adapter can be of type {known}, not {choice.name.lower()}")
        types = choice.types(origin.tensors, origin.keys())
        by_name = importance.of(origin.tensors) if importance else {}
        plan = [Planned(n, a, types[n], by_name.get(n)) for n, a in origin.tensors.items()]
        return cls(origin, choice, plan, importance)

    def keys(self) -> Keys:
        """Return all metadata: what the model is called, its numbers, its vocabulary."""
        keys = self.origin.keys(self.plan)
        keys.general["general.quantization_version"] = GGML_QUANT_VERSION
        if not self.origin.is_adapter:
            keys.general["general.file_type"] = self.choice.mix(self.plan).file_type
        if self.importance:
            keys.general |= self.importance.about
        return keys

    def notes(self) -> list[str]:
        """Return what is worth knowing before the file is written, a line each."""
        return [*self.origin.notes(), *notes_on(self.plan)]

    def place(self, out: Path | str | None) -> Path:
        """Return the file to write: what was named, or a name of its own in a folder.

        A folder that is not there is made if the name ends in a slash.
        """
        if out is not None and not names_folder(out):
            return Path(out)
        folder = Path(out or "")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.origin.name}-{self.choice.mix(self.plan).name}.gguf"

    def write(
        self, out: Path, force: bool, n_threads: int | None, progress: Progress = no_progress
    ) -> Path:
        """Write the file. Raises: ValueError if it is there already, or for a value; OSError."""
        check_absent([out], force)
        file = File(out, self.keys().pairs(), [encoded(planned) for planned in self.plan])
        write([file], n_threads or os.cpu_count() or 1, progress)
        return out

    def table(self) -> str:
        """Return a line for each tensor: name, shape, source's type, type, bytes."""
        rows = [("tensor", "shape", "from", "to", "bytes")]
        rows += [
            (p.name, "x".join(map(str, p.shape)), p.source.type.name, p.type.name, f"{p.n_bytes:,}")
            for p in self.plan
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{name:{widths[0]}}  {shape:{widths[1]}}  {was:{widths[2]}}  {now:{widths[3]}}"
            f"  {n_bytes:>{widths[4]}}"
            for name, shape, was, now, n_bytes in rows
        ]
        total = sum(planned.n_bytes for planned in self.plan)
        return "\n".join([*lines, f"{len(self.plan)} tensors, {total / 1e6:,.1f} MB"])


def names_folder(out: Path | str) -> bool:
    """Tell whether a place for a file is a folder for it: one that is there, or ends in a slash."""
    return str(out).endswith(("/", os.sep)) or Path(out).is_dir()
