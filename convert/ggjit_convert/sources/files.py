"""Files of a checkpoint's folder: only regular ones, mapped.

Names in index files are not trusted: a name is one part of a path. Links are followed, as the hub's
own cache consists of them: whoever can put a link into a folder can put the file there.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ggjit.gguf import GGUFError
from ggjit.gguf.pages import drop_pages
from ggjit.gguf.source import open_regular

from ..errors import CheckpointError

Bytes = npt.NDArray[np.uint8]


def inside(folder: Path, name: str, *, said_in: Path | None = None) -> Path:
    """Return the path of `name` in a folder, whether or not there is such a file.

    Raises: CheckpointError if the name leads elsewhere; `said_in` is the file that holds it.
    """
    if not name or name in (".", "..") or set(name) & set("/\\:\0"):
        problem = f"{name[:96]!r} is not the plain name of a file of this folder"
        raise CheckpointError(problem, path=said_in or folder)
    return folder / name


def map_file(path: Path) -> Bytes:
    """Map a regular file. Shapes: returns [size], read-only.

    Raises: CheckpointError for anything but a regular file; OSError where the system refuses.
    """
    try:
        source = open_regular(path)
    except GGUFError as error:
        raise CheckpointError(error.problem, path=path) from None
    with source:
        size = os.fstat(source.fileno()).st_size
        if not size:
            raise CheckpointError("the file is empty", path=path)
        return np.frombuffer(mmap.mmap(source.fileno(), size, access=mmap.ACCESS_READ), np.uint8)


def forget_pages(data: npt.NDArray[Any]) -> None:
    """Give back the memory of part of a mapped file; it is read again where it is needed."""
    owner: object = data
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, mmap.mmap) and data.flags.c_contiguous:
        drop_pages(data)
