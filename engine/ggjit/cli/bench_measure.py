"""Timing a model's forward pass, without tokenizing and sampling, as llama-bench does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from time import gmtime, perf_counter_ns, strftime
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backends import Executor, State
from ..gguf import GGUFFile, Tensor
from .bench_plan import BenchTest

FLOAT_TYPES = ("F64", "F32", "F16", "BF16")
Ids = npt.NDArray[np.int32]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Machine:
    """What the machine can do with some number of threads.

    Units: bandwidth in bytes/s read from memory, int8_peak in multiplications and additions/s.
    """

    bandwidth: float
    int8_peak: float


@dataclass(frozen=True)
class BenchResult:
    """One test's times."""

    test: BenchTest
    n_threads: int
    samples_ns: list[int]
    test_time: str

    @property
    def samples_ts(self) -> list[float]:
        """Tokens per second."""
        return [1e9 * self.test.n_tokens / ns for ns in self.samples_ns]

    @property
    def avg_ts(self) -> float:
        """Mean tokens per second."""
        return fmean(self.samples_ts)

    @property
    def stddev_ts(self) -> float:
        """Their standard deviation, 0 for a single run."""
        return stdev(self.samples_ts) if len(self.samples_ns) > 1 else 0.0


def measure(
    executor: Executor, test: BenchTest, n_repeats: int, warm_up: bool, progress: Progress
) -> BenchResult:
    """Run a test `n_repeats` times, after one run that is not timed."""
    state, ids = executor.new_state(), _random_ids(test.n_context, executor.n_vocab)
    before, timed = ids[: test.n_depth], ids[test.n_depth :]
    started = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
    if test.n_depth:
        progress(f"{test.name}: filling the context")
        executor.run(state, before)
    if warm_up:
        progress(f"{test.name}: warm-up")
        _run(executor, state, test, timed if test.n_prompt else timed[:1])
    samples = []
    for i in range(n_repeats):
        progress(f"{test.name}: run {i + 1}/{n_repeats}")
        state.truncate(test.n_depth)
        start = perf_counter_ns()
        _run(executor, state, test, timed)
        samples.append(perf_counter_ns() - start)
    return BenchResult(test, getattr(executor, "n_threads", 1), samples, started)


def _run(executor: Executor, state: State, test: BenchTest, ids: Ids) -> None:
    if test.n_prompt:
        executor.run(state, ids)
        return
    for i in range(len(ids)):
        executor.run(state, ids[i : i + 1])


def _random_ids(n: int, n_vocab: int) -> Ids:
    return np.random.default_rng(0).integers(0, n_vocab, n, np.int32)


def bandwidth_share(result: BenchResult, executor: Any, machine: Machine | None) -> float | None:
    """Return the share of the memory bandwidth that reading the weights took (one by one only).

    What one token reads is every packed weight once; the KV cache is not counted.
    """
    weight_bytes = getattr(executor, "weight_bytes", None)
    if machine is None or weight_bytes is None or not result.test.n_gen:
        return None
    return float(weight_bytes * result.avg_ts / machine.bandwidth)


def peak_share(
    result: BenchResult, file: GGUFFile, activations: int, machine: Machine | None
) -> float | None:
    """Return the share of the int8 peak that the prompt's quantized matrices took.

    Activations of 16 bits are two int8 numbers each: twice the work.
    """
    n_ops = int8_ops(file, result.test.n_prompt) * activations // 8
    if machine is None or not n_ops:
        return None
    return n_ops / (fmean(result.samples_ns) / 1e9) / machine.int8_peak


def int8_ops(file: GGUFFile, n_prompt: int) -> int:
    """Return the multiplications and additions of a prompt in quantized matrices.

    Logits are made for the last token only.
    """
    if not n_prompt:
        return 0
    blocks = sum(_n_weights(t) for name, t in file.tensors.items() if name.startswith("blk."))
    head = file.tensors.get("output.weight") or file.tensors.get("token_embd.weight")
    return 2 * (n_prompt * blocks + (_n_weights(head) if head else 0))


def _n_weights(tensor: Tensor) -> int:
    is_quantized_matrix = len(tensor.shape) == 2 and tensor.type.name not in FLOAT_TYPES
    return tensor.n_elements if is_quantized_matrix else 0


def measure_machine(executor: Any) -> Machine | None:
    """Measure what bounds `executor`: its threads, memory of the size of its weights.

    None where the backend is not bound by these.
    """
    if not hasattr(executor, "weight_bytes"):
        return None
    from ..backends.cpu.machine import measure_bandwidth, measure_int8_peak

    n_threads = executor.n_threads
    bandwidth = measure_bandwidth(n_threads, executor.weight_bytes)
    return Machine(bandwidth, measure_int8_peak(n_threads))
