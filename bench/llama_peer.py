"""llama.cpp through llama-cpp-python, run by the interpreter that has it (needs no ggjit).

    PYTHON llama_peer.py bench MODEL -t THREADS -p N_PROMPT -n N_GEN -r REPEATS    JSON on stdout
    PYTHON llama_peer.py logits MODEL IDS.npy OUT.npy -t THREADS [--one-by-one]

IDS is int32 [passages, tokens], OUT float32 [passages, tokens, n_vocab]. `bench` times what
llama-bench times: random tokens, one warm-up run, an empty context; its defaults for the rest.
"""

from __future__ import annotations

import ctypes
import json
import random
import sys
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from statistics import fmean, stdev
from time import perf_counter_ns
from typing import Any

import llama_cpp
import numpy as np

UBATCH = 512  # llama.cpp's default


class Peer:
    """A model and one context."""

    def __init__(self, path: str, n_threads: int, n_context: int) -> None:
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            sys.exit(f"{path}: llama.cpp cannot load it")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = max(n_context, UBATCH)
        params.n_ubatch = UBATCH
        params.n_threads = params.n_threads_batch = n_threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(vocab)

    def clear(self) -> None:
        """Forget all tokens."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def decode(self, ids: list[int], first: int, all_logits: bool = False) -> None:
        """Append tokens, the first of them at position `first`, and wait for the result."""
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i] = token, first + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = all_logits or i == len(ids) - 1
        code = llama_cpp.llama_decode(self.context, batch)
        llama_cpp.llama_synchronize(self.context)
        llama_cpp.llama_batch_free(batch)
        if code:
            sys.exit(f"llama_decode returned {code}")

    def logits(self, n: int) -> Any:
        """Return the logits of the last batch, [n, n_vocab]."""
        values = llama_cpp.llama_get_logits(self.context)
        return np.ctypeslib.as_array(values, shape=(n * self.n_vocab,)).reshape(n, self.n_vocab)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(level: int, text: bytes, data: Any) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR
        sys.stderr.write(text.decode(errors="replace"))


def write_logits(args: Namespace) -> None:
    """Evaluate each passage from an empty context."""
    passages = np.load(args.ids)
    n = passages.shape[1]
    peer = Peer(args.model, args.threads, n)
    shape = (*passages.shape, peer.n_vocab)
    out = np.lib.format.open_memmap(args.out, "w+", np.float32, shape)
    step = 1 if args.one_by_one else n
    for i, ids in enumerate(passages.tolist()):
        peer.clear()
        for t in range(0, n, step):
            peer.decode(ids[t : t + step], t, all_logits=True)
            out[i, t : t + step] = peer.logits(step)


def bench(args: Namespace) -> None:
    """Print records with llama-bench's keys."""
    peer = Peer(args.model, args.threads, args.prompt + args.gen)
    tests = [(args.prompt, 0)] * bool(args.prompt) + [(0, args.gen)] * bool(args.gen)
    print(json.dumps([_record(peer, *test, args.threads, args.repeats) for test in tests]))


def _record(peer: Peer, n_prompt: int, n_gen: int, n_threads: int, n_repeats: int) -> Any:
    n = n_prompt + n_gen
    samples = [_run(peer, n_prompt, n_gen) for _ in range(1 + n_repeats)][1:]
    speeds = [1e9 * n / ns for ns in samples]
    return {
        "n_prompt": n_prompt, "n_gen": n_gen, "n_depth": 0, "n_threads": n_threads,
        "avg_ts": fmean(speeds), "stddev_ts": stdev(speeds) if len(speeds) > 1 else 0.0,
        "samples_ns": samples, "samples_ts": speeds,
    }  # fmt: skip


def _run(peer: Peer, n_prompt: int, n_gen: int) -> int:
    ids = random.choices(range(peer.n_vocab), k=n_prompt + n_gen)
    peer.clear()
    start = perf_counter_ns()
    if n_prompt:
        peer.decode(ids, 0)
    else:
        for i, token in enumerate(ids):
            peer.decode([token], i)
    return perf_counter_ns() - start


def main() -> None:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    timing = commands.add_parser("bench")
    timing.set_defaults(run=bench)
    timing.add_argument("model")
    timing.add_argument("-p", "--prompt", type=int, default=512)
    timing.add_argument("-n", "--gen", type=int, default=128)
    timing.add_argument("-r", "--repeats", type=int, default=3)
    evaluation = commands.add_parser("logits")
    evaluation.set_defaults(run=write_logits)
    for name in ("model", "ids", "out"):
        evaluation.add_argument(name)
    evaluation.add_argument("--one-by-one", action="store_true")
    for command in (timing, evaluation):
        command.add_argument("-t", "--threads", type=int, default=2)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
