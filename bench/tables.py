"""Results as markdown, printed and put into a page of the documentation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ggjit import __version__
from ggjit.backends.cpu.machine import describe_machine


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, numbers to the right."""
    is_number = [bool(rows) and row[:1].isdigit() for row in (rows[0] if rows else header)]
    marks = ["---:" if number else "---" for number in is_number]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, marks, *rows])


def put_into(page: Path, name: str, text: str) -> None:
    """Replace what a page has between `<!-- name -->` and `<!-- /name -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    content = page.read_text(encoding="utf-8")
    before, found, rest = content.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no {begin} ... {end}")
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def machine_line() -> str:
    """Return one sentence that names the machine and the versions."""
    m = describe_machine()
    caches = ", ".join(f"{level} {m[level]}" for level in ("L1", "L2", "L3") if level in m)
    versions = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy"))
    return (
        f"{m['cpu']}, {m['cores']} cores ({caches}), {int(m['memory']) >> 30} GiB, {m['system']}; "
        f"target {m['target']}; ggjit {__version__}, {versions}; {time.strftime('%Y-%m-%d')}."
    )
