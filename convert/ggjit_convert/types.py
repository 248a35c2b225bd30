"""Which type each tensor of a file gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ggjit.gguf import GGMLType

from .arrays import Array
from .keys import Keys
from .quantize import encodable
from .quantize.mixes import MIXES, find_mix
from .quantize.policy import Model, Wishes, that_fits, types_of

# Small and sensitive; engines expect them in float32. Source: prepare_tensors of llama.cpp's
# converter.
ALWAYS_F32 = re.compile(
    r"_norm\.weight$|\.ffn_gate_inp(_shexp)?\.weight$|^(position_embd|token_types)\.weight$"
    r"|\.ssm_conv1d(_[qkv])?\.weight$|\.shortconv\.conv\.weight$|(?<!\.weight)(?<!\.lora_[ab])$"
)
CONVERTED = ("F32", "F16", "BF16", "Q8_0", "TQ1_0", "TQ2_0")  # whole files, without a mix


@dataclass(frozen=True)
class Choice:
    """The type that was asked for, or "auto": each tensor's own; and what is asked of some."""

    name: str
    wishes: Wishes = field(default_factory=Wishes)
    has_importance: bool = False

    @classmethod
    def of(cls, name: str, wishes: Wishes | None = None, has_importance: bool = False) -> Choice:
        """Check a name. Raises: ValueError for one that there is not, or cannot be made."""
        wishes = wishes or Wishes()
        proper = "auto" if name.lower() == "auto" else find_mix(name).name
        wanted = [] if proper == "auto" else [MIXES[proper].type]
        wanted += [t for _, t in wishes.overrides] + [t for t in (wishes.output, wishes.embedding)
                                                      if t]  # fmt: skip
        for type in wanted:
            if not encodable(type):
                raise ValueError(f"type {type.name.lower()} cannot be made yet")
        return cls(proper, wishes, has_importance)

    def types(self, tensors: Mapping[str, Array], keys: Keys) -> dict[str, GGMLType]:
        """Return each tensor's type."""
        if self.name == "auto" or self.name in CONVERTED:
            return {n: self._converted(n, a) for n, a in tensors.items()}
        shapes = [(n, a.shape) for n, a in tensors.items()]
        mixed = types_of(self.name, shapes, model_of(keys), self.wishes, self.has_importance)
        kept = {n: _kept(n, a) for n, a in tensors.items() if n not in mixed}
        return {n: mixed.get(n) or kept[n] for n in tensors}

    def file_type(self, types: Sequence[GGMLType]) -> int:
        """Return what general.file_type says; for "auto", by what most matrices have."""
        if self.name != "auto":
            return MIXES[self.name].file_type
        matrices = [kind for kind in types if kind is not GGMLType.F32]
        most = max(matrices, key=matrices.count, default=GGMLType.F32).name
        return MIXES[{"MXFP4": "MXFP4_MOE"}.get(most, most)].file_type

    def _converted(self, name: str, a: Array) -> GGMLType:
        if stays_float(name, a.shape):
            return GGMLType.F32
        wishes = self.wishes
        found = next((t for pattern, t in wishes.overrides if re.search(pattern, name)), None)
        if name == "output.weight":
            found = wishes.output or found
        elif name == "token_embd.weight":
            found = wishes.embedding or found
        kind = found or (_kept(name, a) if self.name == "auto" else MIXES[self.name].type)
        return that_fits(kind, a.shape[-1])


def stays_float(name: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a tensor is float32 in every file."""
    return len(shape) < 2 or bool(ALWAYS_F32.search(name))


def model_of(keys: Keys) -> Model:
    """Return what mixes depend on."""

    def number(name: str, default: int) -> int:
        value = keys.get(name, default)
        return int(value if isinstance(value, int) else next(iter(value), default))

    n_heads = number("attention.head_count", 1)
    return Model(
        keys.arch, number("block_count", 1), n_heads, number("attention.head_count_kv", n_heads),
        number("expert_count", 0),
    )  # fmt: skip


def _kept(name: str, a: Array) -> GGMLType:
    return GGMLType.F32 if stays_float(name, a.shape) else a.type
