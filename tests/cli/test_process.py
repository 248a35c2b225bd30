"""The command as a process: pipes that close, Ctrl-C, and how soon it is there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import pytest

FAKE = [sys.executable, str(Path(__file__).parent / "fake_cli.py")]
BUFFERED = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}


@pytest.fixture
def start(model_file):
    processes = []

    def start(pause_s, *args, **options):
        command = [*FAKE, str(pause_s), *args, "-m", model_file]
        pipe = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        processes.append(subprocess.Popen(command, env=BUFFERED, **(pipe | options)))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_reader_that_leaves_ends_it_quietly(start):
    process = start(0, "run", "-p", "x", "--raw", "--temp", "0")
    assert len(process.stdout.read(20)) == 20
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr.read() == b""


@pytest.mark.parametrize("args", [("inspect", "FILE"), ("inspect", "--json", "FILE"), ("--help",),
                                  ("--version",), ("inspect", "--check", "FILE")])  # fmt: skip
def test_every_command_ends_alike_when_its_reader_leaves(tmp_path, args):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_tensor("bad", np.full(8, np.nan, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader, pipe = os.pipe()
    os.close(reader)
    command = [*FAKE, "0", *(arg.replace("FILE", str(tmp_path / "x.gguf")) for arg in args)]
    done = subprocess.run(command, env=BUFFERED, stdout=pipe, stderr=subprocess.PIPE, check=False)
    os.close(pipe)
    if "--check" in args:  # that it is damaged counts more
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    else:
        assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize(
    ("args", "closed", "code"),
    [
        ("run -p x -n 4 -m", ">&-", 141),
        ("--help", ">&-", 141),
        ("chat -m", "<&-", 0),
        ("run -p x -n 4 -m", "2>&-", 0),
    ],
)
def test_streams_closed_before_the_start_are_borne(model_file, args, closed, code):
    command = [*FAKE, "0", *args.split(), *([model_file] if args.endswith("-m") else [])]
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command]
    done = subprocess.run(shell, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.fixture
def interruptible():
    """Let children be interrupted, as those of a shell's background are not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("command", [("run", "-p", "x"), ("run", "-p", "x", "--raw")])
def test_ctrl_c_ends_run_with_130(start, command):
    process = start(0.01, *command, "--temp", "0")
    assert process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert process.stderr.read() == b""


def test_text_streams_while_it_is_made(start):
    process = start(0.2, "run", "-p", "x", "--raw", "--temp", "0")
    os.set_blocking(process.stdout.fileno(), True)
    started = time.monotonic()
    process.stdout.read(1)
    first = time.monotonic() - started
    process.stdout.read(5)
    assert time.monotonic() - started - first > 0.5


def test_output_is_utf8_whatever_the_locale(start, model_file, tmp_path):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "ggjit", "run", "é🙂.gguf", "-p", "x"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.decode("utf-8").startswith("ggjit: error: ")


def test_help_is_there_at_once():
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        command = [sys.executable, "-m", "ggjit", "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds.append(time.monotonic() - started)
    assert all(name in done.stdout for name in ("chat", "run", "bench", "tokenize", "inspect"))
    assert min(seconds) < 1.0  # 0.12 s where nothing else runs
    listed = done.stdout.partition("Commands:")[2].split("\n")
    commands = [line.split()[0] for line in listed if line.strip()]
    assert commands[:2] == ["chat", "run"]
    assert commands.index("perplexity") < commands.index("convert") < commands.index("set-metadata")
    assert not any(line.endswith("...") for line in listed)


def test_nothing_heavy_is_imported_for_the_command_line():
    code = "import sys, ggjit.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    heavy = "numpy numba rich prompt_toolkit jinja2 tokenizers huggingface_hub gguf"
    assert not modules & set(heavy.split())


def test_nothing_heavy_is_imported_with_the_package():
    code = "import sys, ggjit; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numpy", "numba", "ggjit.loading"}
    code = "import ggjit; ggjit.Reply; print(dir(ggjit) == sorted(ggjit.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    code = "import ggjit; ggjit.nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "AttributeError: module 'ggjit' has no attribute 'nothing'" in done.stderr
