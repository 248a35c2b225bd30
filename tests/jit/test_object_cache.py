"""Machine code on disk: found again, never trusted when damaged, never in the way."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled import compiled
from guarded import Guarded

import ggjit
from ggjit.backends.cpu.threads import Call
from ggjit.jit import cache, compile_kernels, library
from ggjit.simd.ops import add, load, store
from ggjit.simd.types import f32x16

TESTS = Path(__file__).parents[1]


@compiled
def doubled(x: int, out: int, thread: int, n_threads: int) -> None:
    v = load(f32x16, x)
    store(out, add(v, v))


@compiled
def copied(x: int, out: int, thread: int, n_threads: int) -> None:
    store(out, load(f32x16, x))


class Disk:
    """A cache folder of its own; `compile` is what a new process would do."""

    def __init__(self, folder, monkeypatch):
        self.folder, self._monkeypatch = folder, monkeypatch
        self.object = folder / doubled.name
        monkeypatch.setattr(cache, "folder", lambda: folder)

    def compile(self, *kernels):
        """Return what progress was told."""
        told = []
        self._monkeypatch.setattr(library, "_addresses", {})
        compile_kernels(kernels or [doubled], lambda *args: told.append(args))
        x, out = Guarded.of(np.arange(16, dtype=np.float32)), Guarded(16, np.float32)
        Call(doubled, 0, 1, x=x.address, out=out.address)()
        np.testing.assert_array_equal(out.array, 2 * np.arange(16))
        return told


@pytest.fixture
def disk(tmp_path, monkeypatch):
    return Disk(tmp_path / "kernels", monkeypatch)


COMPILED = [(0, 1, doubled.name), (1, 1, "")]


def test_what_is_stored_is_not_compiled_again(disk, monkeypatch):
    assert disk.compile() == COMPILED
    assert [path.name for path in disk.folder.iterdir() if path.name != ".lock"] == [doubled.name]
    monkeypatch.setattr(library, "compile_object", None)
    assert disk.compile() == []


def test_only_what_is_missing_is_compiled(disk):
    disk.compile()
    assert disk.compile(doubled, copied) == [(0, 1, copied.name), (1, 1, "")]
    assert disk.compile(doubled, copied) == []


def test_in_one_process_a_kernel_keeps_its_address(disk):
    disk.compile()
    addresses = compile_kernels([doubled, copied])
    assert addresses[doubled.name] != addresses[copied.name]
    assert compile_kernels([copied, doubled, copied]) == addresses
    assert compile_kernels([]) == {}


DAMAGES = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "only the digest": lambda data: data[:32],
    "half": lambda data: data[: len(data) // 2],
    "one byte less": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "zeros": lambda data: bytes(len(data)),
    "other bytes": lambda data: bytes(range(256)) * 20,
    **{
        f"bit {i} of {name}": lambda data, at=at, i=i: flipped(data, int(at * len(data)), i)
        for name, at in {"digest": 0.0, "header": 0.012, "code": 0.3, "end": 0.999}.items()
        for i in (0, 5, 7)
    },
}


def flipped(data, at, bit):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_compiled_again(disk, damage):
    disk.compile()
    whole = disk.object.read_bytes()
    disk.object.write_bytes(DAMAGES[damage](whole))
    assert disk.compile() == COMPILED
    assert disk.compile() == []


def test_a_folder_in_an_objects_place_is_no_object(disk):
    disk.object.mkdir(parents=True)
    assert disk.compile() == COMPILED


def test_a_folder_that_cannot_be_made_means_no_cache_and_one_warning(disk, monkeypatch, caplog):
    disk.folder.write_text("a file")
    monkeypatch.setattr(cache, "folder", lambda: disk.folder / "kernels")
    assert disk.compile() == COMPILED
    assert disk.compile(doubled, copied)[0] == (0, 2, doubled.name)
    (said,) = (record.getMessage() for record in caplog.records)
    assert f"{disk.folder}/kernels cannot be written (Not a directory): GGJIT_CACHE" in said


@pytest.mark.parametrize("broken", ["os.replace", "pathlib.Path.write_bytes"])
def test_a_full_disk_means_no_cache(disk, monkeypatch, broken):
    def full(path, _):
        Path(path).touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(broken, full)
    assert disk.compile() == COMPILED
    assert [path.name for path in disk.folder.iterdir()] == [".lock"]


def test_a_file_system_without_locks_is_no_obstacle(disk, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert disk.compile() == COMPILED
    assert disk.compile() == []


def test_an_error_while_compiling_is_not_hidden(disk, monkeypatch):
    def broken(kernel):
        raise OSError("the compiler broke")

    monkeypatch.setattr(library, "compile_object", broken)
    with pytest.raises(OSError, match="the compiler broke"):
        disk.compile()


SCRIPT = """
from test_object_cache import run_in_process
run_in_process()
"""


def run_in_process():
    """Compile with the cache that GGJIT_CACHE names; print how many kernels had to be compiled."""
    told = []
    compile_kernels([doubled, copied], lambda *args: told.append(args))
    x, out = Guarded.of(np.arange(16, dtype=np.float32)), Guarded(16, np.float32)
    Call(doubled, 0, 1, x=x.address, out=out.address)()
    assert np.array_equal(out.array, 2 * x.array)
    print(cache.folder())


def test_two_processes_at_once(tmp_path):
    path = os.pathsep.join([str(TESTS), str(TESTS / "jit"), *sys.path])
    environment = {**os.environ, "GGJIT_CACHE": str(tmp_path), "PYTHONPATH": path}
    command = [sys.executable, "-c", SCRIPT]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    (folder,) = folders
    names = {file.name for file in Path(folder).iterdir()}
    assert names == {doubled.name, copied.name, ".lock"}


# -- the folder's name ----------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the package's sources, which the fingerprint then is of."""
    package = tmp_path / "ggjit"
    shutil.copytree(Path(ggjit.__file__).parent, package)
    monkeypatch.setattr(cache, "__file__", str(package / "jit" / "cache.py"))
    return package


def test_the_same_sources_have_the_same_fingerprint(sources):
    assert cache.fingerprint.__wrapped__() == cache.fingerprint()


@pytest.mark.parametrize(
    "file", ["kernels/norm.py", "simd/dot.py", "formats/q4_1.py", "jit/kernel.py"]
)
def test_one_byte_changes_the_fingerprint(sources, file):
    text = (sources / file).read_bytes()
    (sources / file).write_bytes(flipped(text, len(text) // 2, 1))
    assert cache.fingerprint.__wrapped__() != cache.fingerprint()


def test_a_new_kernel_file_changes_the_fingerprint(sources):
    (sources / "kernels" / "new.py").write_text("# nothing\n")
    assert cache.fingerprint.__wrapped__() != cache.fingerprint()


def test_other_sources_have_no_part_in_it(sources):
    (sources / "models" / "llama.py").write_text("")
    assert cache.fingerprint.__wrapped__() == cache.fingerprint()


@pytest.mark.parametrize("machine", [("other", ""), ("x86-64", "+other")])
def test_another_cpu_changes_the_fingerprint(sources, monkeypatch, machine):
    monkeypatch.setattr(cache.target, "machine_of", lambda target: machine)
    assert cache.fingerprint.__wrapped__() != cache.fingerprint()


@pytest.mark.parametrize("module", ["numba", "llvmlite"])
def test_another_compiler_changes_the_fingerprint(sources, monkeypatch, module):
    monkeypatch.setattr(f"{module}.__version__", "0.0.1")
    assert cache.fingerprint.__wrapped__() != cache.fingerprint()
