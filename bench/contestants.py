"""Who is compared: ggjit, llama.cpp, OpenVINO. One process measures one test."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggjit.cli.bench_plan import BenchTest

TIMEOUT_S = 1800
UNREADABLE = 3  # what the programs of this folder end with


@dataclass(frozen=True)
class Outcome:
    """What a process reported (llama-bench's keys), or why it did not."""

    record: dict[str, Any]
    failure: str = ""


@dataclass(frozen=True)
class Contestant:
    """A label, and the command for a file, a test, threads and repetitions."""

    label: str
    command: Callable[[Path, BenchTest, int, int], list[str]]
    has_sequences: bool = True

    def run(self, file: Path, test: BenchTest, n_threads: int, n_repeats: int) -> Outcome:
        """Measure once."""
        if test.n_sequences > 1 and not self.has_sequences:
            return Outcome({}, "-")
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
    if code == UNREADABLE:
        return "cannot read it"
    return f"crash ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"


def ggjit(activations: int) -> Contestant:
    """`python -m ggjit bench` with this interpreter, activations rounded to so many bits."""
    ours = [sys.executable, "-m", "ggjit", "bench", "--activations", str(activations)]

    def command(file: Path, test: BenchTest, n_threads: int, n_repeats: int) -> list[str]:
        numbers = _numbers(test, n_threads, n_repeats)
        return [*ours, "-m", str(file), *numbers, *_sequences(test), "-o", "json"]

    return Contestant(f"ggjit {activations} bits", command)


def llama_bench(binary: str, label: str) -> Contestant:
    """The llama-bench of a llama.cpp build."""

    def command(file: Path, test: BenchTest, n_threads: int, n_repeats: int) -> list[str]:
        return [binary, "-m", str(file), *_numbers(test, n_threads, n_repeats), "-o", "json"]

    return Contestant(label, command, has_sequences=False)


def llama_python(interpreter: str, label: str) -> Contestant:
    """llama-cpp-python in an interpreter that has it."""
    driver = [interpreter, str(Path(__file__).with_name("llama_peer.py")), "bench"]

    def command(file: Path, test: BenchTest, n_threads: int, n_repeats: int) -> list[str]:
        numbers = _numbers(test, n_threads, n_repeats)
        return [*driver, str(file), *numbers, *_sequences(test)]

    return Contestant(label, command)


def openvino(interpreter: str, label: str) -> Contestant:
    """OpenVINO GenAI in an interpreter that has it."""
    driver = [interpreter, str(Path(__file__).with_name("openvino_peer.py"))]

    def command(file: Path, test: BenchTest, n_threads: int, n_repeats: int) -> list[str]:
        return [*driver, str(file), *_numbers(test, n_threads, n_repeats)]

    return Contestant(label, command, has_sequences=False)


def _numbers(test: BenchTest, n_threads: int, n_repeats: int) -> list[str]:
    """Return the options that all have from llama-bench."""
    numbers = {"-p": test.n_prompt, "-n": test.n_gen, "-d": test.n_depth}
    numbers |= {"-t": n_threads, "-r": n_repeats}
    return [str(x) for pair in numbers.items() for x in pair]


def _sequences(test: BenchTest) -> list[str]:
    return ["-b", str(test.n_sequences)]
