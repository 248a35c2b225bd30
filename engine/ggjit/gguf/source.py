"""Opening a path that may be anything, and saying what a file that is not GGUF looks like."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from .errors import GGUFError

SNIFF_BYTES = 512

# What stands at the start of files that are taken for GGUF. The three old ggml containers wrote
# their names as little-endian integers, so they are reversed on disk.
STRANGERS: list[tuple[bytes, str]] = [
    (b"PK\x03\x04", "a zip archive, perhaps a PyTorch checkpoint"),
    (b"\x80\x02", "a Python pickle, perhaps an old PyTorch checkpoint"),
    (b"lmgg", "the GGML format that preceded GGUF"),
    (b"fmgg", "the GGMF format that preceded GGUF"),
    (b"tjgg", "the GGJT format that preceded GGUF"),
    (b"algg", "a GGLA adapter, a format that preceded GGUF"),
    (b"version https://git-lfs", "a Git LFS pointer: the model itself was not downloaded"),
    (b"FUGG", "a GGUF file whose bytes are swapped"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"{", "JSON text"),
]

KINDS = [
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
]


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file, never waiting for the other end of a pipe or a device.

    Raises: GGUFError for anything but a regular file; OSError where the system refuses.
    """
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        fd = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise GGUFError("is a socket or a device, not a regular file", path=path) from None
        raise
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        kind = next((name for test, name in KINDS if test(mode)), "something else")
        raise GGUFError(f"is {kind}, not a regular file", path=path)
    return io.FileIO(fd)


def looks_like(head: bytes, size: int) -> str:
    """Describe the file that begins with `head`, for the message that it is not GGUF."""
    if size == 0:
        return "the file is empty"
    for start, name in STRANGERS:
        if head.startswith(start):
            return f"it looks like {name}"
    if _is_safetensors(head, size):
        return "it looks like a safetensors file"
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return "it looks like a web page: the download went wrong"
    if not any(head):
        return "it begins with zeros: is the download complete?"
    return f"it begins with {head[:4]!r}"


def _is_safetensors(head: bytes, size: int) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8
