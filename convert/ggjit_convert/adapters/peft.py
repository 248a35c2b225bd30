"""An adapter's folder: pairs of factors by the modules they belong to, and tensors kept whole."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..arrays import Array
from ..errors import CheckpointError, listed
from ..sources import Checkpoint, has_weights, located
from ..sources.files import inside
from ..sources.shards import ADAPTERS, read_file
from ..sources.strict_json import read_json
from ..transforms import transposed
from ..vocab import tokenizer_file
from .low_rank import LowRank
from .settings import FILE, Settings
from .settings import TOKENS as TOKEN_IDS

PREFIX = "base_model.model."
FACTOR = re.compile(r"(.+)\.lora_(embedding_)?([AB])(?:\.weight)?")
MAGNITUDES = re.compile(r"(.+)\.lora_magnitude_vector(?:\.weight)?")
WHOLE = re.compile(r"(?!.*\.lora_).+\.(weight|bias)")
TOKENS = re.compile(r"(.+)\.token_adapter\.trainable_tokens_delta")
# What lies beneath an adapter, the model's unless its vocabulary was resized; what whole modules
# were before they were trained; and what these are saved as once more.
BENEATH = re.compile(r"(?:\.token_adapter)?\.base_layer(?=\.weight$)")
BEFORE, AGAIN = ".original_module.", ".modules_to_save."


@dataclass(frozen=True, eq=False)
class Pair:
    """Factors of what is added to a module's weights, and what it is multiplied with.

    Shapes: b [n_out, r], a [r, n_in], of DoRA magnitudes [n_out]. An embedding's n_in are tokens,
    rows of its weights.
    """

    b: Array
    a: Array
    scale: float
    is_embedding: bool
    magnitudes: Array | None = None

    def product(self, name: str, is_turned: bool) -> LowRank:
        """Return it as the weights are kept, which may be transposed, as embeddings are."""
        if is_turned:
            return LowRank(name, transposed(self.a), transposed(self.b))
        return LowRank(name, self.b, self.a)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Rows that replace some tokens' of an embedding, or of the output."""

    ids: list[int]
    values: Array

    @property
    def least_shape(self) -> tuple[int, ...]:
        """The shape of a matrix that has just enough rows."""
        return max(self.ids) + 1, *self.values.shape[1:]


class Adapter:
    """`pairs` by modules; by names in the model `whole` tensors, rows of `tokens`, and `beneath`.

    Raises: CheckpointError naming all tensors that are no part of an adapter, or half of one.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.settings = Settings(checkpoint)
        self.pairs: dict[str, Pair] = {}
        self.whole: dict[str, Array] = {}
        self.beneath: dict[str, Array] = {}
        self.tokens: dict[str, Tokens] = {}
        self._halves: dict[tuple[str, bool], dict[str, Array]] = {}
        self._magnitudes: dict[str, Array] = {}
        given = checkpoint.tensors.items()
        unknown = [name for name, a in given if not self._take(name.removeprefix(PREFIX), a)]
        halves = self._halves.items()
        alone = [a.name for _, half in halves if len(half) < 2 for a in half.values()]
        misshapen = [n for key, half in halves if len(half) == 2 for n in self._pair(*key, half)]
        alone += [a.name for n, a in self._magnitudes.items() if n not in self.pairs]
        lengthless = [n for n in self.pairs if self.settings.use_dora and n not in self._magnitudes]
        unasked = [a.name for a in self._magnitudes.values() if not self.settings.use_dora]
        self.refuse(
            ("are no part of an adapter", unknown), ("lack the other factor", alone),
            (f"are no factors of the rank that {FILE} says", misshapen),
            ("lack the magnitudes of DoRA", lengthless),
            (f"are of DoRA, which {FILE} does not use", unasked),
        )  # fmt: skip
        if not self.pairs and not self.whole and not self.tokens:
            raise CheckpointError("holds no factors", path=checkpoint.path)

    @property
    def tokenizer(self) -> Path | None:
        """The folder, if it holds a tokenizer: the one that the adapter was trained with."""
        folder = self.checkpoint.folder
        return folder if tokenizer_file(folder) else None

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

    def _take(self, name: str, a: Array) -> bool:
        """Keep a tensor as what its name says. Returns whether that is known."""
        if found := FACTOR.fullmatch(name):
            self._halves.setdefault((found[1], bool(found[2])), {})[found[3]] = a
        elif found := MAGNITUDES.fullmatch(name):
            self._magnitudes[found[1]] = a
        elif found := TOKENS.fullmatch(name):
            self.tokens[f"{found[1]}.weight"] = self._tokens(found[1], a)
        elif not WHOLE.fullmatch(name):
            return False
        elif BENEATH.search(name):
            self.beneath[BENEATH.sub("", name)] = a
        elif BEFORE not in name:
            self.whole[name.replace(".base_layer.", ".").replace(AGAIN, ".")] = a
        return True

    def _pair(self, module: str, is_embedding: bool, half: dict[str, Array]) -> list[str]:
        """Add a pair. Returns names of factors that do not have the module's rank."""
        b, a, rank = half["B"], half["A"], self.settings.rank_of(module)
        if len(a.shape) != 2 or len(b.shape) != 2 or {a.shape[0], b.shape[1]} != {rank}:
            return [a.name, b.name]
        scale, magnitudes = self.settings.scale_of(module), self._magnitudes.get(module)
        self.pairs[module] = Pair(b, a, scale, is_embedding, magnitudes)
        return []

    def _tokens(self, module: str, values: Array) -> Tokens:
        ids = self.settings.tokens_of(module)
        if len(values.shape) != 2 or values.shape[0] != len(ids) or not ids:
            problem = f"are {len(ids)}, tensor {values.name[:96]!r} is {list(values.shape)}"
            raise self.settings.h.error(TOKEN_IDS, problem)
        return Tokens(ids, values)


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
            if Path(path).is_dir() and not Path(text).is_dir():
                raise ValueError(f"--lora {text!r}: {last!r} is no number") from None
            return cls(Adapter.at(text))
        if not math.isfinite(scale):
            raise ValueError(f"--lora {text!r}: an adapter cannot be scaled by {last}")
        return cls(Adapter.at(path or text), scale)


def is_adapter(path: Path | str) -> bool:
    """Tell whether a folder holds an adapter, and no model."""
    folder = Path(path)
    return folder.is_dir() and inside(folder, FILE).exists() and not has_weights(folder)
