"""An adapter as the origin of a GGUF file: factors by GGUF's names, rearranged as its base is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..about import about
from ..architectures import architecture_of
from ..architectures.base import Tensors
from ..arrays import Array
from ..errors import CheckpointError
from ..keys import Keys, Typed
from ..mapping import named, unused
from ..plan import Planned
from ..quantized import plain
from ..sources import CONFIG, Checkpoint, has_weights
from ..sources.files import inside
from ..sources.hub import PREFIX
from ..sources.shards import read_folder
from ..sources.strict_json import read_json
from ..transforms import computed, transposed
from .fitting import OUTPUT, Fitted, Product, fitted
from .low_rank import LowRank, factors
from .peft import Adapter

TYPE = "adapter"


class FromAdapter:
    """An adapter of a base model, of which only the configuration is needed.

    Raises: CheckpointError naming all tensors that have no place in the base.
    """

    is_adapter = True

    def __init__(self, adapter: Adapter, base: Checkpoint) -> None:
        self.adapter = adapter
        if adapter.settings.use_dora:
            raise adapter.settings.h.error("use_dora", "only merging (--lora) can do that")
        family = architecture_of(plain(base) if base.tensors else base)
        fits = fitted(adapter, family, family.checkpoint.tensors)
        given = {p.name: self._as_told(p) for p in fits.products} | fits.whole
        whole = [*fits.beneath, *self._too_whole(fits), *(name for name, _ in fits.tokens)]
        self.family = architecture_of(replace(family.checkpoint, tensors=given))
        found, _ = named(self.family, {})
        lost = unused(given, found)
        if self.is_tied:
            lost += [n for n in given if n.endswith(OUTPUT) and n not in lost]
        adapter.refuse(
            ("have no place in this architecture", lost),
            ("are whole, which only merging (--lora) can do", whole),
        )
        self.tensors: Tensors = {}
        for name, a in found.items():
            self.tensors |= self._by_name(name, a)
        if not self.tensors:
            raise CheckpointError("has nothing of a text model", path=adapter.checkpoint.path)

    @classmethod
    def at(cls, path: Path | str, base: Path | str | None) -> FromAdapter:
        """Open an adapter and its base. Raises: CheckpointError; ValueError; OSError."""
        adapter = Adapter.at(path)
        named_base = adapter.settings.h.text("base_model_name_or_path", default="")
        if base is None and not (named_base and Path(named_base).is_dir()):
            shown = named_base[:96] or "no base"
            problem = f"is {shown!r}, no folder here; --base names one, or a config.json"
            raise adapter.settings.h.error("base_model_name_or_path", problem)
        return cls(adapter, _base_at(base or named_base))

    @property
    def name(self) -> str:
        return self.adapter.checkpoint.name

    @property
    def is_tied(self) -> bool:
        """Whether the embedding is the output as well, of which engines have no tensor then."""
        return self.family.h.flag("tie_word_embeddings")

    def keys(self, plan: list[Planned] | None = None) -> Keys:
        keys = Keys(self.family.arch)
        if plan is not None:
            keys.general |= about(self.family.arch, self.adapter.checkpoint, plan, TYPE)
        keys.general |= {
            "adapter.type": "lora", "adapter.lora.alpha": self.adapter.settings.alpha,
        }  # fmt: skip
        if tokens := self.adapter.settings.invocation:
            keys.general["adapter.alora.invocation_tokens"] = Typed(tokens, "arr[u32]")
        return keys

    def notes(self) -> list[str]:
        found, instead = [], "merging (--lora) does"
        if any(name.endswith("_norm.weight") for name in self.tensors):
            found += [f"the adapter has norms: llama.cpp does not change them, {instead}"]
        if self.is_tied and "token_embd.weight.lora_a" in self.tensors:
            found += [f"the embedding is the output: llama.cpp cannot change it, {instead}"]
        return found

    def _as_told(self, product: Product) -> LowRank:
        """Return a product that engines, which multiply by alpha / rank, scale rightly."""
        values = product.values
        factor = product.scale * values.a.shape[0] / self.adapter.settings.alpha
        if abs(factor - 1) < 1e-9:
            return values
        return replace(values, b=computed(values.b, lambda x: x * factor, f"times {factor:.6g}"))

    def _too_whole(self, fits: Fitted) -> list[str]:
        return [n for n, a in fits.whole.items() if len(a.shape) != 1 or "norm" not in n]

    def _by_name(self, name: str, a: Array) -> Tensors:
        if name.endswith("_norm.weight"):
            return {name: a}
        try:
            left, right = factors(a)
        except ValueError as error:
            raise CheckpointError(str(error), path=self.adapter.checkpoint.path) from None
        if name == "token_embd.weight":  # rows of the left factor are looked up
            left, right = transposed(right), left
        return {f"{name}.lora_a": right, f"{name}.lora_b": left}


def _base_at(base: Path | str) -> Checkpoint:
    """Open a folder, or a config.json alone."""
    path = Path(base)
    if str(base).startswith(PREFIX):
        from ggjit.hub.hf import fetch_files

        hint = f"without a network, name a folder with its {CONFIG}"
        [path] = fetch_files(str(base).removeprefix(PREFIX), lambda names: [CONFIG], hint)
    folder = path if path.is_dir() else path.parent
    config = read_json(inside(folder, CONFIG) if path.is_dir() else path)
    has_tensors = path.is_dir() and has_weights(folder)
    return Checkpoint(folder, config, read_folder(folder) if has_tensors else {})
