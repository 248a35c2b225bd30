"""What is shown of a command that goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .writing import Progress


@contextmanager
def telling() -> Iterator[Progress]:
    """Yield a function that shows progress; Ctrl-C leaves a line that says what became of it."""
    from ggjit.cli.status import load_status

    try:
        with load_status() as progress:
            yield progress
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        raise
