"""What became of a source's tensors, told by what the file's are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..architectures.nested import NOT_WEIGHTS
from ..arrays import Array


@dataclass(frozen=True)
class Fate:
    """A tensor of the source, the tensors of the file that it is in, and how it came there."""

    name: str
    became: list[str]
    how: list[str]


def fates(source: Iterable[str], made: Mapping[str, Array]) -> list[Fate]:
    """Account for every tensor of a source, given what the file's are made of."""
    became: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, a in made.items():
        for origin, how in dict.fromkeys(history(a)):  # parts of one tensor in several files
            became[origin].append((name, how))
    return [_fate(name, became.get(name, [])) for name in source]


def history(a: Array) -> Iterator[tuple[str, str]]:
    """Yield names of the source's tensors that an array is made of, each with what was done."""
    if not hasattr(a, "what"):
        yield a.name, ""
        return
    for source in getattr(a, "sources", ()):
        for name, before in history(source):
            yield name, f"{before}, {a.what}" if before else a.what


def _fate(name: str, places: list[tuple[str, str]]) -> Fate:
    if places:
        return Fate(name, [place for place, _ in places], [how or "as it is" for _, how in places])
    is_other = NOT_WEIGHTS.search(name)
    return Fate(name, [], ["no weight of a text model" if is_other else "not in this architecture"])
