"""What verifying found, for people and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import SHOWN
from ..vocab.verification import VocabularyReport
from .history import Fate
from .logits import LogitsReport
from .tensors import EXACT, TensorError, by_type, lines

SAME = 1e-6  # divergence that the order of additions can make


@dataclass(frozen=True)
class Report:
    """Of a file and its source. `differing` are keys that the source would set otherwise."""

    path: str
    source: str
    fates: list[Fate]
    errors: list[TensorError]
    differing: list[str]
    vocabulary: VocabularyReport | None
    logits: LogitsReport

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each."""
        found = [f"tensor {e.name} {e.problem}" for e in self.errors if e.problem]
        found += [f"key {name} is not as the source has it" for name in self.differing]
        if self.vocabulary:
            found += self.vocabulary.problems
        if self.logits.problem:
            found.append(f"logits: {self.logits.problem}")
        elif all(e.relative_rms <= EXACT for e in self.errors) and self.logits.mean_kl > SAME:
            found.append("logits are not those of the source, though all weights are")
        return found

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def as_json(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return {
            "file": self.path,
            "source": self.source,
            "problems": self.problems,
            "source_tensors": [asdict(fate) for fate in self.fates],
            "tensors": [_tensor(e) for e in self.errors],
            "types": {t: _finite(e.relative_rms) for t, e in by_type(self.errors).items()},
            "differing_keys": self.differing,
            "vocabulary": self.vocabulary.as_json() if self.vocabulary else None,
            "logits": {name: _finite(value) for name, value in asdict(self.logits).items()},
        }

    def _lines(self) -> Iterator[str]:
        yield from self._accounts()
        yield ""
        yield from lines(self.errors)
        yield ""
        yield "relative RMS error by type:"
        for kind, e in by_type(self.errors).items():
            yield f"  {kind:8} {e.relative_rms:.2e}  ({e.name})"
        yield f"vocabulary: {self.vocabulary or 'no tokenizer files to compare with'}"
        yield f"logits: {self.logits}"
        told = [*self._of_tensors(), *self.problems[sum(bool(e.problem) for e in self.errors) :]]
        yield from (f"PROBLEM: {problem}" for problem in told)
        if not told:
            yield f"no problems: {self.path} is what {self.source} makes"

    def _of_tensors(self) -> Iterator[str]:
        """Yield what is wrong with tensors, those with the same fault in one line."""
        names: dict[str, list[str]] = defaultdict(list)
        for e in self.errors:
            if e.problem:
                names[e.problem].append(e.name)
        for problem, of in names.items():
            shown = ", ".join(of[:SHOWN]) + (f" and {len(of) - SHOWN} more" * (len(of) > SHOWN))
            some = f"each of {len(of)} tensors {problem}: {shown}"
            yield some if len(of) > 1 else f"tensor {of[0]} {problem}"

    def _accounts(self) -> Iterator[str]:
        for fate in self.fates:
            for place, how in zip(fate.became or ["left out"], fate.how, strict=True):
                yield f"{fate.name} -> {place}: {how}"
        n = sum(bool(fate.became) for fate in self.fates)
        yield f"{n} of {len(self.fates)} tensors of {self.source} are in {self.path}"


def _tensor(e: TensorError) -> dict[str, Any]:
    rms = _finite(e.relative_rms)
    return {
        "name": e.name, "type": e.type, "shape": list(e.shape), "relative_rms": rms,
        "problem": e.problem,
    }  # fmt: skip


def _finite(value: Any) -> Any:
    """Return a value, None for a number that JSON does not have."""
    is_none = isinstance(value, float) and value - value != 0
    return None if is_none else value
