"""llama.cpp through llama-cpp-python, run by the interpreter that has it (needs no ggjit).

    PYTHON llama_peer.py bench MODEL -t THREADS -p N_PROMPT -n N_GEN [-d DEPTH] [-b SEQUENCES] -r N
    PYTHON llama_peer.py logits MODEL IDS.npy OUT.npy -t THREADS [--one-by-one] [--cache q8_0 q4_0]

IDS is int32 [passages, tokens], OUT float32 [passages, tokens, n_vocab]. `bench` times what
llama-bench times, random tokens after one warm-up run, of one or several sequences side by side;
its defaults for the rest; JSON on stdout. Ends with UNREADABLE if the file cannot be read.
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
UNREADABLE = 3
CACHE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30}  # ggml's numbers


class Peer:
    """A model and one context."""

    def __init__(
        self,
        path: str,
        n_threads: int,
        n_context: int,
        n_sequences: int = 1,
        cache: tuple[str, str] = ("f16", "f16"),
    ) -> None:
        """Open a file for sequences of `n_context` tokens; `cache`: types of keys and values."""
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            print(f"{path}: llama.cpp cannot load it", file=sys.stderr)
            sys.exit(UNREADABLE)
        params = llama_cpp.llama_context_default_params()
        n_context = -(-n_context // 256) * 256  # of a sequence: as llama.cpp rounds it
        params.n_ctx = params.n_batch = max(n_context, UBATCH) * n_sequences
        params.n_seq_max = n_sequences
        params.n_ubatch = UBATCH
        params.n_threads = params.n_threads_batch = n_threads
        params.type_k, params.type_v = (CACHE_TYPES[name] for name in cache)
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(vocab)

    def forget(self, n: int = 0) -> None:
        """Forget all but the first `n` tokens of every sequence."""
        memory = llama_cpp.llama_get_memory(self.context)
        if n:
            llama_cpp.llama_memory_seq_rm(memory, -1, n, -1)
        else:
            llama_cpp.llama_memory_clear(memory, True)

    def decode(self, sequences: list[list[int]], first: int, all_logits: bool = False) -> None:
        """Append tokens to each sequence, from position `first` on, and wait for the result."""
        n = len(sequences[0])
        batch = llama_cpp.llama_batch_init(n * len(sequences), 0, 1)
        batch.n_tokens = n * len(sequences)
        for i in range(batch.n_tokens):
            sequence, at = divmod(i, n)
            batch.token[i], batch.pos[i] = sequences[sequence][at], first + at
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
            batch.logits[i] = all_logits or at == n - 1
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
    peer = Peer(args.model, args.threads, n, cache=args.cache)
    shape = (*passages.shape, peer.n_vocab)
    out = np.lib.format.open_memmap(args.out, "w+", np.float32, shape)
    step = 1 if args.one_by_one else n
    for i, ids in enumerate(passages.tolist()):
        peer.forget()
        for t in range(0, n, step):
            peer.decode([ids[t : t + step]], t, all_logits=True)
            out[i, t : t + step] = peer.logits(step)


def bench(args: Namespace) -> None:
    """Print records with llama-bench's keys."""
    peer = Peer(args.model, args.threads, args.depth + args.prompt + args.gen, args.sequences)
    before = _random_ids(peer, args.sequences, args.depth)
    if args.depth:
        peer.decode(before, 0)
    tests = [(args.prompt, 0)] * bool(args.prompt) + [(0, args.gen)] * bool(args.gen)
    print(json.dumps([_record(peer, *test, args) for test in tests]))


def _record(peer: Peer, n_prompt: int, n_gen: int, args: Namespace) -> Any:
    n = args.sequences * (n_prompt + n_gen)
    samples = [_run(peer, n_prompt, n_gen, args) for _ in range(1 + args.repeats)][1:]
    speeds = [1e9 * n / ns for ns in samples]
    return {
        "n_prompt": n_prompt, "n_gen": n_gen, "n_depth": args.depth, "n_threads": args.threads,
        "n_sequences": args.sequences,
        "avg_ts": fmean(speeds), "stddev_ts": stdev(speeds) if len(speeds) > 1 else 0.0,
        "samples_ns": samples, "samples_ts": speeds,
    }  # fmt: skip


def _run(peer: Peer, n_prompt: int, n_gen: int, args: Namespace) -> int:
    ids = _random_ids(peer, args.sequences, n_prompt + n_gen)
    step = n_prompt or 1
    peer.forget(args.depth)
    start = perf_counter_ns()
    for i in range(0, n_prompt + n_gen, step):
        peer.decode([row[i : i + step] for row in ids], args.depth + i)
    return perf_counter_ns() - start


def _random_ids(peer: Peer, n_sequences: int, n: int) -> list[list[int]]:
    return [random.choices(range(peer.n_vocab), k=n) for _ in range(n_sequences)]


def main() -> None:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    timing = commands.add_parser("bench")
    timing.set_defaults(run=bench)
    timing.add_argument("model")
    timing.add_argument("-p", "--prompt", type=int, default=512)
    timing.add_argument("-n", "--gen", type=int, default=128)
    timing.add_argument("-d", "--depth", type=int, default=0)
    timing.add_argument("-b", "--sequences", type=int, default=1)
    timing.add_argument("-r", "--repeats", type=int, default=3)
    evaluation = commands.add_parser("logits")
    evaluation.set_defaults(run=write_logits)
    for name in ("model", "ids", "out"):
        evaluation.add_argument(name)
    evaluation.add_argument("--one-by-one", action="store_true")
    evaluation.add_argument("--cache", nargs=2, choices=CACHE_TYPES, default=("f16", "f16"))
    for command in (timing, evaluation):
        command.add_argument("-t", "--threads", type=int, default=2)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
