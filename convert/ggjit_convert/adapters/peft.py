"""An adapter's folder: pairs of factors by the modules they belong to, and tensors kept whole."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..arrays import Array
from ..errors import CheckpointError
from ..plan import listed
from ..sources import Checkpoint, has_weights, located
from ..sources.files import inside
from ..sources.shards import ADAPTERS, read_file
from ..sources.strict_json import read_json
from ..transforms import transposed
from .low_rank import LowRank
from .settings import FILE, Settings

PREFIX = "base_model.model."
FACTOR = re.compile(r"(.+)\.lora_(embedding_)?([AB])(?:\.weight)?")
WHOLE = re.compile(r"(?!.*\.lora_).+\.(weight|bias)")


@dataclass(frozen=True, eq=False)
class Pair:
    """Factors of what is added to a module's weights, and what it is multiplied with.

    Shapes: b [n_out, r], a [r, n_in]. An embedding's n_in are tokens, rows of its weights.
    """

    b: Array
    a: Array
    scale: float
    is_embedding: bool

    def product(self, name: str, is_turned: bool) -> LowRank:
        """Return it as the weights are kept, which may be transposed."""
        if is_turned or self.is_embedding:
            return LowRank(name, transposed(self.a), transposed(self.b))
        return LowRank(name, self.b, self.a)


class Adapter:
    """`pairs` by modules, `whole` tensors by their names in the model.

    Raises: CheckpointError naming all tensors that are no part of an adapter, or half of one.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.settings = Settings(checkpoint)
        self.pairs: dict[str, Pair] = {}
        self.whole: dict[str, Array] = {}
        halves: dict[tuple[str, bool], dict[str, Array]] = {}
        unknown = []
        for full, a in checkpoint.tensors.items():
            name = full.removeprefix(PREFIX)
            if found := FACTOR.fullmatch(name):
                halves.setdefault((found[1], bool(found[2])), {})[found[3]] = a
            elif not WHOLE.fullmatch(name):
                unknown.append(full)
            elif not name.endswith(".base_layer.weight"):  # those of the model, unchanged
                self.whole[name.replace(".base_layer.", ".")] = a
        alone = [a.name for half in halves.values() if len(half) < 2 for a in half.values()]
        both = [(*key, half) for key, half in halves.items() if len(half) == 2]
        misshapen = [name for module in both for name in self._pair(*module)]
        self.refuse(
            ("are no part of an adapter", unknown), ("lack the other factor", alone),
            (f"are no factors of the rank that {FILE} says", misshapen),
        )  # fmt: skip
        if not self.pairs and not self.whole:
            raise CheckpointError("holds no factors", path=checkpoint.path)

    @classmethod
    def at(cls, path: Path | str) -> Adapter:
        """Open a folder, which may be hf:OWNER/REPO. Raises: CheckpointError; OSError."""
        folder = located(path)
        config = inside(folder, FILE)
        if not config.exists():
            raise CheckpointError("is missing: the folder is no adapter of PEFT", path=config)
        files = [file for file in (inside(folder, name) for name in ADAPTERS) if file.exists()]
        if not files:
            raise CheckpointError(f"holds no {' or '.join(ADAPTERS)}", path=folder)
        return cls(Checkpoint(folder, read_json(config), read_file(files[0]), FILE))

    def refuse(self, *problems: tuple[str, Sequence[str]]) -> None:
        """Raise CheckpointError naming the tensors that have problems, if there are any."""
        found = [line for what, names in problems for line in listed(what, list(names))]
        if found:
            raise CheckpointError("; ".join(found), path=self.checkpoint.path)

    def _pair(self, module: str, is_embedding: bool, half: dict[str, Array]) -> list[str]:
        """Add a pair. Returns names of factors that do not have the module's rank."""
        b, a, rank = half["B"], half["A"], self.settings.rank_of(module)
        if len(a.shape) != 2 or len(b.shape) != 2 or {a.shape[0], b.shape[1]} != {rank}:
            return [a.name, b.name]
        self.pairs[module] = Pair(b, a, self.settings.scale_of(module), is_embedding)
        return []


class Scaled(NamedTuple):
    """An adapter, and how much of it is wanted."""

    adapter: Adapter
    scale: float = 1.0

    @classmethod
    def of(cls, text: str) -> Scaled:
        """Open ADAPTER[:SCALE]. Raises: ValueError; CheckpointError; OSError."""
        path, _, last = text.rpartition(":")
        try:
            scale = float(last) if path else 1.0
        except ValueError:
            return cls(Adapter.at(text))
        if not math.isfinite(scale):
            raise ValueError(f"--lora {text!r}: an adapter cannot be scaled by {last}")
        return cls(Adapter.at(path or text), scale)


def is_adapter(path: Path | str) -> bool:
    """Tell whether a folder holds an adapter, and no model."""
    folder = Path(path)
    return folder.is_dir() and inside(folder, FILE).exists() and not has_weights(folder)
