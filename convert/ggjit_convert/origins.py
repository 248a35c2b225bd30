"""Where a file's tensors and metadata come from: a checkpoint, or another GGUF file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ggjit.formats import find
from ggjit.gguf import GGMLType, GGUFFile, Tensor, open_gguf

from .about import about
from .adapters import FromAdapter, Scaled, check_used, is_adapter, merged
from .adapters import notes as notes_of
from .architectures import Architecture, architecture_of
from .architectures.base import Tensors
from .arrays import Bytes, Floats
from .keys import Keys, Typed
from .mapping import mapped
from .meta import is_meta, open_meta
from .meta import notes as notes_of_meta
from .plan import Planned
from .quantized import plain
from .rehearsal import OUTPUT
from .sources import Checkpoint, located, open_checkpoint, text_config
from .sources.files import forget_pages
from .vocab import Vocabulary, vocabulary_of


class Origin(Protocol):
    """What a GGUF file is made of."""

    is_adapter: bool

    @property
    def name(self) -> str:
        """What the model is called, for the name of a file."""

    @property
    def tensors(self) -> Tensors:
        """The tensors, by GGUF's names."""

    def keys(self, plan: list[Planned] | None = None) -> Keys:
        """Return metadata; without a plan only the architecture's."""

    def notes(self) -> list[str]:
        """Return what is worth knowing about the file to be, a line each."""


class FromCheckpoint:
    """A checkpoint, adapters merged, its tensors mapped. Raises: CheckpointError."""

    is_adapter = False
    vocabulary: Vocabulary | None = None

    def __init__(self, checkpoint: Checkpoint, adapters: Sequence[Scaled] = ()) -> None:
        self.checkpoint, self.adapters = checkpoint, adapters
        self.family: Architecture = architecture_of(plain(checkpoint))
        if adapters:
            self.family = architecture_of(merged(self.family, adapters))
        self.tensors = mapped(self.family)
        check_used(adapters, self.family, self.tensors)

    @classmethod
    def at(
        cls, path: Path | str, *, vocabulary: bool = True, adapters: Sequence[Scaled] = ()
    ) -> FromCheckpoint:
        """Open a checkpoint and its tokenizer; `path` may be hf:OWNER/REPO.

        Raises: CheckpointError; OSError.
        """
        place = located(path)
        origin = cls(open_meta(place) if is_meta(place) else open_checkpoint(place), adapters)
        if vocabulary:
            merged, arch = origin.family.checkpoint, origin.family.arch
            n_vocab = origin.tensors["token_embd.weight"].shape[0]
            origin.vocabulary = vocabulary_of(merged.tokenizer_folder, n_vocab, arch, merged.folder)
        return origin

    @property
    def name(self) -> str:
        return self.family.checkpoint.name

    def keys(self, plan: list[Planned] | None = None) -> Keys:
        keys = Keys(self.family.arch)
        if plan is not None:
            keys.general |= about(self.family.arch, self.family.checkpoint, plan)
        self.family.write_keys(keys)
        if self.vocabulary:
            keys.general |= self.vocabulary.metadata
        return keys

    def notes(self) -> list[str]:
        about_text = self.vocabulary.warnings if self.vocabulary else []
        of_adapters = notes_of(self.adapters, self.checkpoint, self.tensors)
        of_files = notes_of_meta(self.checkpoint) + self._about_output()
        return self.family.notes() + of_adapters + of_files + about_text

    def _about_output(self) -> list[str]:
        config = self.checkpoint.config
        is_other = config.get("tie_word_embeddings") is False and not text_config(config)
        if not is_other or OUTPUT in self.tensors:
            return []
        what = "says that the output is not the embedding, but there is no other"
        return [f"{self.checkpoint.config_file} {what}: engines take the embedding"]


class FromGGUF:
    """A GGUF file, or a split set. Raises: GGUFError; OSError."""

    is_adapter = False

    def __init__(self, path: Path) -> None:
        self.file: GGUFFile = open_gguf(path)
        self.tensors: Tensors = {name: Decoded(t) for name, t in self.file.tensors.items()}

    @property
    def name(self) -> str:
        return self.file.path.stem

    def keys(self, plan: list[Planned] | None = None) -> Keys:
        keys = Keys(self.file.get("general.architecture", str))
        for name, value in self.file.metadata.items():
            if not name.startswith("split.") and name != "general.alignment":
                own = name.removeprefix(f"{keys.arch}.")
                typed = Typed(value, self.file.types[name])
                if own == name:
                    keys.general[name] = typed
                else:
                    keys[own] = typed
        return keys

    def notes(self) -> list[str]:
        return []


@dataclass(frozen=True, eq=False)
class Decoded:
    """An `Array` over a tensor of a GGUF file."""

    tensor: Tensor

    @property
    def name(self) -> str:
        return self.tensor.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape or (1,)  # a number is a vector of one

    @property
    def type(self) -> GGMLType:
        return self.tensor.type

    def rows(self, start: int, stop: int) -> Floats:
        n_columns = self.shape[-1] if len(self.shape) > 1 else stop - start
        values = find(self.tensor).decode_rows(self.blocks(start, stop).reshape(-1), n_columns)
        return np.ascontiguousarray(values).reshape(stop - start, *self.shape[1:])

    def blocks(self, start: int, stop: int) -> Bytes:
        data = self.tensor.data.reshape(self.shape[0], -1) if self.shape[0] else self.tensor.data
        return data[start:stop].reshape(stop - start, *self.shape[1:-1], -1)

    def forget(self) -> None:
        forget_pages(self.tensor.data)


def origin_at(
    source: Path | str, *, vocabulary: bool = True, lora: Sequence[str] = (),
    base: Path | str | None = None,
) -> FromCheckpoint | FromAdapter:  # fmt: skip
    """Open a checkpoint, with adapters ADAPTER[:SCALE] to merge; or an adapter, and its base.

    Raises: CheckpointError; ValueError; OSError.
    """
    path = located(source)
    if not is_adapter(path):
        if base is not None:
            raise ValueError(f"--base names the model of an adapter, and {source} is none")
        return FromCheckpoint.at(path, vocabulary=vocabulary, adapters=[*map(Scaled.of, lora)])
    if lora:
        raise ValueError(f"{source} is an adapter: --lora merges it, with its base as the source")
    return FromAdapter.at(path, base)
