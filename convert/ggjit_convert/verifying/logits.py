"""What a file predicts against what its source's weights do, both on the reference backend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ggjit.backends.cpu.budget import available_bytes
from ggjit.backends.reference import ReferenceExecutor
from ggjit.gguf import GGMLType, GGUFFile, Tensor
from ggjit.gguf.shard import Shard
from ggjit.gguf.values import BOOL, NUMBERS, STRING, Metadata
from ggjit.loading import context_length
from ggjit.measure import Divergence, divergence, log_softmax
from ggjit.models import architecture_of
from ggjit.text import Tokenizer

from ..arrays import Array, Floats
from ..keys import Pair
from ..origins import FromCheckpoint, FromGGUF
from ..writing import Progress
from .sample_text import SAMPLE

FLOATS_OF_A_WEIGHT = 3  # that are in memory at most: what was read, and what is made of it


@dataclass(frozen=True)
class LogitsReport:
    """Of so many tokens; or why there is no such comparison."""

    n_tokens: int
    mean_kl: float = math.nan
    top_1: float = math.nan
    skipped: str | None = None

    def __str__(self) -> str:
        if self.skipped:
            return f"not compared: {self.skipped}"
        share = f"the likeliest token is the same {100 * self.top_1:.1f} % of the time"
        return f"mean KL divergence {self.mean_kl:.3g}, {share} ({self.n_tokens} tokens)"


def compare_logits(
    origin: FromCheckpoint | FromGGUF, file: GGUFFile, n_tokens: int, progress: Progress
) -> LogitsReport:
    """Run both over a text. What the engine cannot run is said in the report."""
    if n_tokens < 2:
        return LogitsReport(0, skipped="no tokens were asked for")
    needed = 4 * FLOATS_OF_A_WEIGHT * sum(math.prod(a.shape) for a in origin.tensors.values())
    available = available_bytes()
    if available is not None and needed > available:
        room = f"{needed / 1e9:.1f} GB are needed and {available / 1e9:.1f} are free"
        return LogitsReport(0, skipped=f"weights as float32 have no room, {room}")
    try:
        found = _compare(origin, file, n_tokens, progress)
    except ValueError as error:
        return LogitsReport(0, skipped=str(error))
    n, kl, top = len(found.kl), found.mean_kl.value, found.same_top_share.value
    return LogitsReport(n, kl, top)


def _compare(
    origin: FromCheckpoint | FromGGUF, file: GGUFFile, n_tokens: int, progress: Progress
) -> Divergence:
    ids = _ids(file, n_tokens)
    progress("logits", 0, 2)
    base = log_softmax(_logits(source_of(origin), ids[:-1]))
    progress("logits", 1, 2)
    logits = _logits(file, ids[:-1])
    if not (np.isfinite(base).all() and np.isfinite(logits).all()):
        raise ValueError("logits are not finite")
    return divergence(base, logits, ids[1:])


def source_of(origin: FromCheckpoint | FromGGUF) -> GGUFFile:
    """Return the source as a file with float32 weights would be."""
    if isinstance(origin, FromGGUF):
        return origin.file
    path = origin.checkpoint.path
    pairs = [p for p in origin.keys().pairs() if not p.name.startswith("tokenizer.")]
    metadata = Metadata({p.name: _value(p) for p in pairs}, {p.name: _word(p) for p in pairs})
    tensors = [_tensor(name, a) for name, a in origin.tensors.items()]
    return GGUFFile([Shard(path, 3, metadata, tensors, None)])


def _tensor(name: str, a: Array) -> Tensor:
    data = np.ascontiguousarray(a.rows(0, a.shape[0]), np.float32).reshape(-1).view(np.uint8)
    return Tensor(name, GGMLType.F32, a.shape, data, 0, Path(a.name))


def _value(pair: Pair) -> Any:
    if pair.item_kind is None or pair.item_kind == STRING:
        return pair.value
    return np.asarray(pair.value, _dtype(pair.item_kind))


def _dtype(kind: int) -> np.dtype[Any]:
    return np.dtype(np.bool_) if kind == BOOL else NUMBERS[kind].dtype


def _word(pair: Pair) -> str:
    kind = pair.kind if pair.item_kind is None else pair.item_kind
    word = "str" if kind == STRING else NUMBERS[kind].name
    return word if pair.item_kind is None else f"arr[{word}]"


def _logits(file: GGUFFile, ids: Any) -> Floats:
    n_context = context_length(file, len(ids))
    executor = ReferenceExecutor(architecture_of(file).build(file, n_context), n_context)
    return executor.run(executor.new_state(), ids, "all")


def _ids(file: GGUFFile, n: int) -> Any:
    """Return tokens of a text, or, where there is no tokenizer, any."""
    n = min(n, context_length(file, None))
    if "tokenizer.ggml.tokens" in file.metadata:
        tokenizer = Tokenizer.from_gguf(file)
        ids = tokenizer.encode(SAMPLE, bos=tokenizer.add_bos)[:n]
    else:
        n_vocab = file.tensors["token_embd.weight"].shape[0]
        ids = np.random.default_rng(0).integers(0, n_vocab, n).tolist()
    return np.array(ids, np.int32)
