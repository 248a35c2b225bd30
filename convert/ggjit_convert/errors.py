"""What is wrong with a checkpoint, in one sentence."""

from __future__ import annotations

from pathlib import Path

from ggjit.gguf import printable


class CheckpointError(ValueError):
    """A bad checkpoint: the file, what in it (a tensor, a key), and what is wrong."""

    def __init__(self, problem: str, *, path: Path, field: str | None = None) -> None:
        self.path, self.field, self.problem = path, field, problem
        super().__init__(printable(": ".join(str(part) for part in (path, field, problem) if part)))
