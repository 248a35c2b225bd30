"""Who is compared: ggjit, llama-bench, llama-cpp-python. One process measures one test."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 1800


@dataclass(frozen=True)
class Task:
    """A prompt of n_prompt tokens, or n_gen tokens one by one."""

    n_prompt: int
    n_gen: int

    @property
    def name(self) -> str:
        return f"pp{self.n_prompt}" if self.n_prompt else f"tg{self.n_gen}"


@dataclass(frozen=True)
class Outcome:
    """What a process reported (llama-bench's keys), or why it did not."""

    record: dict[str, Any]
    failure: str = ""


@dataclass(frozen=True)
class Contestant:
    """A label, and the command for a file, a test, threads and repetitions."""

    label: str
    command: Callable[[Path, Task, int, int], list[str]]

    def run(self, file: Path, test: Task, n_threads: int, n_repeats: int) -> Outcome:
        """Measure once."""
        command = self.command(file, test, n_threads, n_repeats)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return Outcome({}, f"no result in {TIMEOUT_S} s")
        if done.returncode:
            print(f"{self.label}: {done.stderr.strip()[-500:]}", file=sys.stderr)
            return Outcome({}, died(done.returncode))
        return Outcome(json.loads(done.stdout)[0])


def died(code: int) -> str:
    """Say how a process ended."""
    return f"crash ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"


def ggjit(activations: int) -> Contestant:
    """`python -m ggjit bench` with this interpreter, activations rounded to so many bits."""
    ours = [sys.executable, "-m", "ggjit", "bench", "--activations", str(activations)]
    return Contestant(f"ggjit {activations} bits", lambda *args: [*ours, *_options(*args)])


def llama_bench(binary: str, label: str) -> Contestant:
    """The llama-bench of a llama.cpp build."""
    return Contestant(label, lambda *args: [binary, *_options(*args)])


def llama_python(interpreter: str, label: str) -> Contestant:
    """llama-cpp-python in an interpreter that has it."""
    driver = Path(__file__).with_name("llama_peer.py")

    def command(file: Path, test: Task, n_threads: int, n_repeats: int) -> list[str]:
        numbers = _numbers(test, n_threads, n_repeats)
        return [interpreter, str(driver), "bench", str(file), *numbers]

    return Contestant(label, command)


def _options(file: Path, test: Task, n_threads: int, n_repeats: int) -> list[str]:
    """Return the options that `ggjit bench` has from llama-bench."""
    return ["-m", str(file), *_numbers(test, n_threads, n_repeats), "-o", "json"]


def _numbers(test: Task, n_threads: int, n_repeats: int) -> list[str]:
    numbers = {"-p": test.n_prompt, "-n": test.n_gen, "-t": n_threads, "-r": n_repeats}
    return [str(x) for pair in numbers.items() for x in pair]
