"""What is wrong with a checkpoint, in one sentence."""

from __future__ import annotations

from pathlib import Path

from ggjit.gguf import printable

SHOWN = 8  # of one kind of problem
OF_ONE = {"are": "is", "have": "has", "lack": "lacks", "belong": "belongs"}


class CheckpointError(ValueError):
    """A bad checkpoint: the file, what in it (a tensor, a key), and what is wrong."""

    def __init__(self, problem: str, *, path: Path, field: str | None = None) -> None:
        self.path, self.field, self.problem = path, field, problem
        super().__init__(printable(": ".join(str(part) for part in (path, field, problem) if part)))


def listed(problem: str, names: list[str]) -> list[str]:
    """Return a line that names tensors of which something is wrong, none if there are none.

    The problem begins with a verb: "are missing".
    """
    if not names:
        return []
    says = f"{len(names)} tensors {problem}"
    if len(names) == 1:
        verb, _, rest = problem.partition(" ")
        says = f"1 tensor {OF_ONE.get(verb, verb)} {rest}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    shown = ", ".join(repr(name[:96]) for name in names[:SHOWN])
    return [f"{says}: {shown}{more}"]
