"""Timing a model's forward pass, without tokenizing and sampling, as llama-bench does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from time import gmtime, perf_counter_ns, strftime
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backends import BatchPart, Executor, State
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
        """Mean tokens per second, of all sequences."""
        return fmean(self.samples_ts)

    @property
    def avg_ts_each(self) -> float:
        """Mean tokens per second of one sequence."""
        return self.avg_ts / self.test.n_sequences

    @property
    def stddev_ts(self) -> float:
        """Their standard deviation, 0 for a single run."""
        return stdev(self.samples_ts) if len(self.samples_ns) > 1 else 0.0


def measure(
    executor: Executor, test: BenchTest, n_repeats: int, warm_up: bool, progress: Progress
) -> BenchResult:
    """Run a test `n_repeats` times, after one run that is not timed."""
    states = [executor.new_state() for _ in range(test.n_sequences)]
    ids = _random_ids((test.n_sequences, test.n_context), executor.n_vocab)
    before, timed = ids[:, : test.n_depth], ids[:, test.n_depth :]
    step = test.n_prompt or 1
    started = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
    if test.n_depth:
        progress(f"{test.name}: filling the context")
        _run(executor, states, before, test.n_depth)
    if warm_up:
        progress(f"{test.name}: warm-up")
        _run(executor, states, timed[:, :step], step)
    samples = []
    for i in range(n_repeats):
        progress(f"{test.name}: run {i + 1}/{n_repeats}")
        for state in states:
            state.truncate(test.n_depth)
        start = perf_counter_ns()
        _run(executor, states, timed, step)
        samples.append(perf_counter_ns() - start)
    return BenchResult(test, getattr(executor, "n_threads", 1), samples, started)


def _run(executor: Executor, states: list[State], ids: Ids, step: int) -> None:
    """Append ids [sequences, tokens], `step` tokens of each sequence at a time."""
    for i in range(0, ids.shape[1], step):
        parts: list[BatchPart] = [
            (state, row[i : i + step], "last") for state, row in zip(states, ids, strict=True)
        ]
        executor.run_batch(parts)


def _random_ids(shape: tuple[int, int], n_vocab: int) -> Ids:
    return np.random.default_rng(0).integers(0, n_vocab, shape, np.int32)


def bandwidth_share(result: BenchResult, executor: Any, machine: Machine | None) -> float | None:
    """Return the share of the memory bandwidth that tokens one by one took.

    What they read is every packed weight once for all sequences, and each its own keys and values.
    """
    test = result.test
    if machine is None or not hasattr(executor, "weight_bytes") or not test.n_gen:
        return None
    cached = fmean(executor.cache_bytes_read(test.n_depth + i) for i in range(test.n_gen))
    n_bytes = executor.weight_bytes + test.n_sequences * cached
    return float(n_bytes * result.avg_ts_each / machine.bandwidth)


def peak_share(
    result: BenchResult, file: GGUFFile, activations: int, machine: Machine | None
) -> float | None:
    """Return the share of the int8 peak that the prompt's quantized matrices took.

    Activations of 16 bits are two int8 numbers each: twice the work.
    """
    test = result.test
    n_ops = test.n_sequences * int8_ops(file, test.n_prompt) * activations // 8
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
