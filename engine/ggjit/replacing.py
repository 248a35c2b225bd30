"""Files that take the place of others once they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def check_replaceable(path: Path) -> None:
    """Raise ValueError for what is there and no file, such as a device: no file replaces it."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file, and is not written over")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name to write to; the file takes the place of `path` if all goes well.

    Raises: as `check_replaceable`; OSError naming `path` where the system cannot write.
    """
    check_replaceable(path)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")  # of one writer
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):  # of another file
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
