"""OpenVINO GenAI on a GGUF file, run by the interpreter that has it (needs no ggjit).

    PYTHON openvino_peer.py MODEL -t THREADS -p N_PROMPT -n N_GEN -d N_DEPTH -r REPEATS

Prints records with llama-bench's keys as JSON. A prompt is timed until its first token, sampling of
that one included; of tokens one by one only the inferences count. What comes before, at a depth, is
read once and kept by the pipeline's cache of prefixes; all else is random and new each time. Ends
with UNREADABLE if the file cannot be read.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawTextHelpFormatter
from statistics import fmean, stdev
from time import perf_counter_ns
from typing import Any

import numpy as np
import openvino
import openvino_genai

UNREADABLE = 3
LEAST_BATCH = 512  # tokens of a prompt that are taken at once


class Peer:
    """A pipeline, and random ids."""

    def __init__(self, path: str, n_threads: int, n_tokens: int) -> None:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_batched_tokens = max(n_tokens, LEAST_BATCH)
        scheduler.enable_prefix_caching = True
        try:
            self.pipeline = openvino_genai.LLMPipeline(
                path, "CPU", scheduler_config=scheduler, INFERENCE_NUM_THREADS=n_threads
            )
        except RuntimeError as error:
            print(f"{path}: OpenVINO cannot read it: {error}", file=sys.stderr)
            sys.exit(UNREADABLE)
        self.n_vocab = len(self.pipeline.get_tokenizer().get_vocab())
        self._rng = np.random.default_rng(0)

    def ids(self, n: int) -> Any:
        """Return random ids [n]."""
        return self._rng.integers(0, self.n_vocab, n, np.int64)

    def generate(self, ids: Any, n: int) -> Any:
        """Read ids and make exactly `n` more; return the pipeline's metrics."""
        config = openvino_genai.GenerationConfig(
            max_new_tokens=n, min_new_tokens=n, ignore_eos=True, do_sample=False,
            apply_chat_template=False,
        )  # fmt: skip
        done = self.pipeline.generate(openvino.Tensor(ids[None]), config)
        assert done.perf_metrics.get_num_generated_tokens() == n
        return done.perf_metrics.raw_metrics

    def prompt_ns(self, before: Any, n: int) -> int:
        """Time a prompt."""
        ids = np.concatenate([before, self.ids(n)])
        start = perf_counter_ns()
        self.generate(ids, 1)
        return perf_counter_ns() - start

    def gen_ns(self, before: Any, n: int) -> int:
        """Time `n` tokens one by one; there has to be one before them."""
        metrics = self.generate(before if len(before) else self.ids(1), n + 1)
        return int(1e3 * sum(metrics.token_infer_durations[1:]))


def record(peer: Peer, n_prompt: int, n_gen: int, n_depth: int, n_repeats: int) -> dict[str, Any]:
    """Measure one test."""
    before, n = peer.ids(n_depth), n_prompt or n_gen
    time = peer.prompt_ns if n_prompt else peer.gen_ns
    samples = [time(before, n) for _ in range(1 + n_repeats)][1:]
    speeds = [1e9 * n / ns for ns in samples]
    return {
        "n_prompt": n_prompt, "n_gen": n_gen, "n_depth": n_depth,
        "avg_ts": fmean(speeds), "stddev_ts": stdev(speeds) if len(speeds) > 1 else 0.0,
        "samples_ns": samples, "samples_ts": speeds,
    }  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("-p", "--prompt", type=int, default=512)
    parser.add_argument("-n", "--gen", type=int, default=128)
    parser.add_argument("-d", "--depth", type=int, default=0)
    parser.add_argument("-r", "--repeats", type=int, default=3)
    parser.add_argument("-t", "--threads", type=int, default=2)
    args = parser.parse_args()
    peer = Peer(args.model, args.threads, args.prompt + args.depth)
    tests = [(args.prompt, 0)] * bool(args.prompt) + [(0, args.gen)] * bool(args.gen)
    print(json.dumps([record(peer, *test, args.depth, args.repeats) for test in tests]))


if __name__ == "__main__":
    main()
