"""Whether a GGUF file is what its source makes: tensors, keys, vocabulary, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ggjit.gguf import GGUFFile, open_gguf

from ..adapters import Scaled
from ..keys import Keys
from ..origins import Decoded, FromCheckpoint, FromGGUF
from ..vocab import tokenizer_file
from ..vocab.agreement import N_RANDOM
from ..vocab.verification import VocabularyReport, same_value, verify_vocabulary
from ..writing import Progress, no_progress
from .history import fates
from .logits import compare_logits
from .report import Report
from .tensors import compare

__all__ = ["Report", "origin_of", "verify"]


def verify(
    path: Path, origin: FromCheckpoint | FromGGUF, n_threads: int = 1, n_tokens: int = 256,
    progress: Progress = no_progress, n_random: int = N_RANDOM,
) -> Report:  # fmt: skip
    """Compare a GGUF file with what it was made of.

    Logits are of `n_tokens` tokens of a text, encodings of `n_random` texts and some nasty ones.
    Raises: GGUFError or CheckpointError for a bad file; OSError.
    """
    with open_gguf(path) as file:
        found = {name: Decoded(t) for name, t in file.tensors.items()}
        errors = compare(origin.tensors, found, n_threads, progress)
        if isinstance(origin, FromGGUF):
            source, names = origin.file.path, list(origin.tensors)
        else:
            source, names = origin.checkpoint.path, list(origin.checkpoint.tensors)
        return Report(
            str(path), str(source), fates(names, origin.tensors), errors,
            _differing(origin.keys(), file), _vocabulary(origin, file, n_random),
            compare_logits(origin, file, n_tokens, progress),
        )  # fmt: skip


def origin_of(path: Path, lora: Sequence[str] = ()) -> FromCheckpoint | FromGGUF:
    """Open a source: a checkpoint, with adapters ADAPTER[:SCALE] merged, or a GGUF file.

    Raises: CheckpointError or GGUFError for a bad one; ValueError; OSError.
    """
    if path.suffix != ".gguf":
        return FromCheckpoint.at(path, vocabulary=False, adapters=[*map(Scaled.of, lora)])
    if lora:
        raise ValueError(f"--lora merges into a checkpoint, and {path} is a GGUF file")
    return FromGGUF(path)


def _differing(keys: Keys, file: GGUFFile) -> list[str]:
    """Return keys of architecture and vocabulary that are missing, or of another value."""
    beginnings = ("general.architecture", f"{keys.arch}.", "tokenizer.")
    told = [p for p in keys.pairs() if p.name.startswith(beginnings)]
    return [p.name for p in told if not _same(p.value, file.metadata.get(p.name))]


def _same(expected: object, found: object) -> bool:
    plain = expected.tolist() if isinstance(expected, np.ndarray) else expected
    return found is not None and same_value(plain, found)


def _vocabulary(
    origin: FromCheckpoint | FromGGUF, file: GGUFFile, n_random: int
) -> VocabularyReport | None:
    """Compare vocabularies; None where the file or the source has none."""
    if isinstance(origin, FromGGUF) or "tokenizer.ggml.tokens" not in file.metadata:
        return None
    model = origin.family.checkpoint
    folder = model.tokenizer_folder
    if tokenizer_file(folder) is None:
        return None
    return verify_vocabulary(folder, file, n_random, model.folder)
