"""From a checkpoint to a GGUF file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ggjit.gguf import GGMLType

from .about import about
from .architectures import Architecture, architecture_of
from .arrays import Bytes, Floats
from .keys import Keys
from .plan import Planned, mapped
from .sources import open_checkpoint
from .types import chosen, file_type, known_type
from .writing import Progress, encode_floats, write

GGML_QUANT_VERSION = 2


def no_progress(what: str, n_done: int, n_all: int) -> None:
    """Tell nobody."""


def convert(
    source: Path | str,
    out: Path | str,
    type: str = "auto",
    *,
    force: bool = False,
    n_threads: int | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Convert a checkpoint to a GGUF file; return the file.

    Raises: CheckpointError for a bad checkpoint; ValueError for a bad wish; OSError.
    """
    conversion = Conversion.of(Path(source), type)
    return conversion.write(conversion.place(Path(out)), force, n_threads, progress)


@dataclass(frozen=True, eq=False)
class Conversion:
    """A checkpoint that was found to be whole, and what will be made of it."""

    family: Architecture
    type: str
    plan: list[Planned]

    @classmethod
    def of(cls, source: Path, type: str) -> Conversion:
        """Open a checkpoint and plan. Raises: CheckpointError; ValueError; OSError."""
        wanted = known_type(type)
        family = architecture_of(open_checkpoint(source))
        tensors = mapped(family)
        types = chosen(wanted, tensors)
        return cls(family, wanted, [Planned(n, a, types[n]) for n, a in tensors.items()])

    @property
    def file_type(self) -> int:
        return file_type(self.type, [planned.type for planned in self.plan])

    def keys(self) -> Keys:
        """Return all metadata: what the model is called, its numbers, its vocabulary."""
        keys = Keys(self.family.arch)
        keys.general |= about(self.family, self.plan)
        keys.general["general.quantization_version"] = GGML_QUANT_VERSION
        keys.general["general.file_type"] = self.file_type
        self.family.write_keys(keys)
        return keys

    def place(self, out: Path | None) -> Path:
        """Return the file to write: what was named, or a name of its own in a folder."""
        if out is not None and not out.is_dir():
            return out
        name = self.family.checkpoint.folder.resolve().name
        return (out or Path()) / f"{name}-{self.type}.gguf"

    def write(
        self, out: Path, force: bool, n_threads: int | None, progress: Progress = no_progress
    ) -> Path:
        """Write the file. Raises: ValueError if it is there already, or for a value; OSError."""
        if out.exists() and not force:
            raise ValueError(f"{out} exists already; --force writes over it")
        write(out, self.keys(), self.plan, encode, n_threads or os.cpu_count() or 1, progress)
        return out

    def notes(self) -> list[str]:
        """Return what other engines will not make of the file as it is meant, a line each."""
        return self.family.notes()

    def table(self) -> str:
        """Return a line for each tensor: name, shape, source's type, type, bytes."""
        rows = [
            (p.name, "x".join(map(str, p.shape)), p.source.type.name, p.type.name, f"{p.n_bytes}")
            for p in self.plan
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{name:{widths[0]}}  {shape:{widths[1]}}  {was:>{widths[2]}} -> {now:{widths[3]}}"
            f"  {n_bytes:>{widths[4]}}"
            for name, shape, was, now, n_bytes in rows
        ]
        total = sum(planned.n_bytes for planned in self.plan)
        return "\n".join([*lines, f"{len(rows)} tensors, {total / 1e6:.1f} MB"])


def encode(planned: Planned, rows: Floats) -> Bytes:
    """Encode rows as the planned type."""
    if planned.type in (GGMLType.F32, GGMLType.F16, GGMLType.BF16):
        return encode_floats(planned, rows)
    raise ValueError(f"type {planned.type.name} cannot be written yet")
