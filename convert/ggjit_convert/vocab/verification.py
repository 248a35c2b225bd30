"""Whether a GGUF file has the vocabulary of a checkpoint: the same keys, the same encodings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ggjit.gguf import GGUFFile
from ggjit.text import Tokenizer

from ..keys import Typed
from . import tokenizer_file, vocabulary_of
from .agreement import N_RANDOM, Agreement, round_trip
from .vocabulary import KEY


@dataclass(frozen=True)
class VocabularyReport:
    """`differing` keys are missing in the file, or of another value; templates are keys, too."""

    agreement: Agreement
    n_keys: int
    differing: list[str]

    @property
    def agrees(self) -> bool:
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each."""
        found = [f"key {name} is not as the source's tokenizer has it" for name in self.differing]
        if n := self.agreement.n_different:
            found.append(f"{n} of {self.agreement.n_texts} texts are encoded differently")
        return found

    def __str__(self) -> str:
        keys = f"{self.n_keys} keys of the vocabulary and templates, all as in the checkpoint"
        if self.differing:
            keys = (
                f"{len(self.differing)} of {self.n_keys} keys differ: {', '.join(self.differing)}"
            )
        return f"{keys}\n{self.agreement}"

    def as_json(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return {**asdict(self), "agrees": self.agrees}


def verify_vocabulary(
    folder: Path, file: GGUFFile, n_random: int = N_RANDOM, model: Path | None = None
) -> VocabularyReport:
    """Compare a checkpoint's tokenizer files with what a GGUF file says.

    `model` is the folder of config.json, if the tokenizer has another.
    Raises: CheckpointError, GGUFError for bad files; OSError.
    """
    n_vocab = len(file.get(KEY + "tokens", list))
    arch, told = file.get("general.architecture", str), file.metadata
    expected = vocabulary_of(folder, n_vocab, arch, model).metadata
    differing = [k for k, value in expected.items() if not same_value(value, told.get(k))]
    source = tokenizer_file(folder)
    assert source, "the vocabulary came from a file"
    agreement = round_trip(source, Tokenizer.from_gguf(file), n_random)
    return VocabularyReport(agreement, len(expected), differing)


def same_value(expected: Any, found: Any) -> bool:
    """Tell whether a file's value is the expected one, in the type that the file has it in."""
    if isinstance(expected, Typed):
        expected = expected.value
    if isinstance(found, np.ndarray):
        return np.array_equal(np.asarray(expected, found.dtype), found)
    if isinstance(expected, float) and isinstance(found, float):
        return np.float32(expected) == np.float32(found)
    return bool(expected == found)
