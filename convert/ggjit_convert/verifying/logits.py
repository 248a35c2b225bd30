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
from ggjit.measure import divergence, log_softmax
from ggjit.models import architecture_of
from ggjit.text import Tokenizer

from ..arrays import Array, Floats
from ..keys import Pair
from ..origins import FromCheckpoint, FromGGUF
from ..writing import Progress
from .sample_text import SAMPLE

FLOATS_OF_A_WEIGHT = 2  # that are in memory at most: what was read, and what is made of it


@dataclass(frozen=True)
class LogitsReport:
    """Of so many tokens; why the source's cannot be had, or what is wrong with the file's."""

    n_tokens: int
    mean_kl: float = math.nan
    top_1: float = math.nan
    skipped: str | None = None
    problem: str | None = None

    def __str__(self) -> str:
        if self.skipped or self.problem:
            return f"not compared: {self.skipped or self.problem}"
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
        ids = _ids(file, n_tokens)
        progress("logits", 0, 2)
        base = _logits(source_of(origin), ids[:-1])
    except ValueError as error:
        return LogitsReport(0, skipped=str(error))
    try:
        progress("logits", 1, 2)
        found = divergence(log_softmax(base), _logits(file, ids[:-1]), ids[1:])
    except ValueError as error:
        return LogitsReport(0, problem=str(error))
    return LogitsReport(len(found.kl), found.mean_kl.value, found.same_top_share.value)


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
    logits = executor.run(executor.new_state(), ids, "all")
    if not np.isfinite(logits).all():
        raise ValueError(f"{file.path}: logits are not finite")
    return logits


def _ids(file: GGUFFile, n: int) -> Any:
    """Return tokens of a text, or, where there is no tokenizer, any."""
    n, embedding = min(n, context_length(file, None)), file.tensors.get("token_embd.weight")
    n_vocab = embedding.shape[0] if embedding else 0
    if "tokenizer.ggml.tokens" in file.metadata:
        tokenizer = Tokenizer.from_gguf(file)
        if tokenizer.n_vocab > n_vocab:
            raise ValueError(f"there are {tokenizer.n_vocab} tokens, and {n_vocab} embeddings")
        ids = tokenizer.encode(SAMPLE, bos=tokenizer.add_bos)[:n]
    else:
        ids = np.random.default_rng(0).integers(0, max(n_vocab, 1), n).tolist()
    return np.array(ids, np.int32)
