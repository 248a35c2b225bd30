"""Which type each tensor of a file gets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ggjit.gguf import GGMLType

from .arrays import Array
from .keys import Keys
from .plan import Planned
from .quantize import find_type
from .quantize.mixes import Mix, find_mix, mix_of
from .quantize.policy import Model, Wishes, types_of
from .transforms import precision_of

# Small and sensitive; engines expect them in float32. Source: prepare_tensors of llama.cpp's
# converter.
ALWAYS_F32 = re.compile(
    r"_norm\.weight$|\.ffn_gate_inp(_shexp)?\.weight$|^(position_embd|token_types)\.weight$"
    r"|\.ssm_conv1d(_[qkv])?\.weight$|\.shortconv\.conv\.weight$|(?<!\.weight)(?<!\.lora_[ab])$"
)
AUTO = "auto"  # each tensor's own precision
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
        for type in (wishes.output, wishes.embedding, *(t for _, t in wishes.overrides)):
            if type is not None:
                find_type(type.name)
        proper = AUTO if name.lower() == AUTO else find_mix(name).name
        return cls(proper, wishes, has_importance)

    def types(self, tensors: Mapping[str, Array], keys: Keys) -> dict[str, GGMLType]:
        """Return the type that each tensor should have.

        Raises: ValueError for a pattern that no tensor with a choice of types has in its name.
        """
        if self.name == AUTO or self.name in CONVERTED:
            chosen = {n: self._converted(n, a) for n, a in tensors.items()
                      if not stays_float(n, a.shape)}  # fmt: skip
        else:
            shapes = [(n, a.shape) for n, a in tensors.items()]
            chosen = types_of(self.name, shapes, model_of(keys), self.wishes, self.has_importance)
        for pattern, _ in self.wishes.overrides:
            if not any(re.search(pattern, name) for name in chosen):
                raise ValueError(f"--tensor-type: no tensor to be encoded matches {pattern!r}")
        return {n: chosen[n] if n in chosen else _kept(n, a) for n, a in tensors.items()}

    def mix(self, plan: Iterable[Planned]) -> Mix:
        """Return what the file is called; for "auto", after the type that most weights have."""
        if self.name != AUTO:
            return find_mix(self.name)
        n_of: Counter[GGMLType] = Counter()
        for planned in plan:
            n_of[planned.type] += planned.n_elements
        return mix_of(max(n_of, key=n_of.__getitem__, default=GGMLType.F32))

    def _converted(self, name: str, a: Array) -> GGMLType:
        wishes = self.wishes
        found = next((t for pattern, t in wishes.overrides if re.search(pattern, name)), None)
        if name == "output.weight":
            found = wishes.output or found
        elif name == "token_embd.weight":
            found = wishes.embedding or found
        return found or (precision_of(a) if self.name == AUTO else find_mix(self.name).type)


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
    return GGMLType.F32 if stays_float(name, a.shape) else precision_of(a)
