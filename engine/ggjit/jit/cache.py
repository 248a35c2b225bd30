"""Where machine code is kept between runs: one folder per version of everything it depends on.

The folder's name carries a hash of the kernel sources, the compiler's versions and the CPU, so
nothing stale is ever found. Each object lies beside its sha256; what does not match is compiled
again. A folder that cannot be written means no cache and a warning, never an error.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import llvmlite
import numba

from ..cache import cache_folder
from ..replacing import replacing
from ..simd import target

log = logging.getLogger("ggjit")

SOURCES = ("simd", "jit", "formats", "kernels")


@cache
def folder() -> Path:
    """Return this machine's folder of object files."""
    return cache_folder() / "kernels" / f"{target.current().name}-{fingerprint()[:16]}"


@cache
def fingerprint() -> str:
    """Hash everything that machine code depends on."""
    root = Path(__file__).parent.parent
    files = sorted(f for s in SOURCES for f in (root / s).rglob("*.py"))
    digest = hashlib.sha256()
    for part in (numba.__version__, llvmlite.__version__, sys.version, *_machine()):
        digest.update(f"{part}\n".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _machine() -> tuple[str, str, str]:
    return target.current().name, *target.machine_of(target.current())


def read(name: str) -> bytes | None:
    """Return a stored object, or None if there is none that is whole."""
    try:
        data = (folder() / name).read_bytes()
    except OSError:
        return None
    code = data[32:]
    return code if hashlib.sha256(code).digest() == data[:32] else None


def write(name: str, code: bytes) -> None:
    """Store an object; a half-written one never has its name."""
    try:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(folder() / name) as part:
            part.write_bytes(hashlib.sha256(code).digest() + code)
    except (OSError, ValueError) as error:  # ValueError: a folder has its name
        _warn_once(folder(), getattr(error, "strerror", None) or str(error))


@cache
def _warn_once(where: Path, reason: str) -> None:
    text = "kernels are compiled anew at every start, as %s cannot be written (%s): %s"
    log.warning(text, where, reason, "GGJIT_CACHE names another folder")


@contextmanager
def locked() -> Iterator[None]:
    """Let one process compile at a time, where files can be locked; others find the work done."""
    try:
        import fcntl

        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = (folder() / ".lock").open("w")
    except (ImportError, OSError):
        yield
        return
    with handle:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
