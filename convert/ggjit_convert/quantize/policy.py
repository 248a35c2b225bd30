"""Which tensor gets which type, as llama-quantize decides it (llama.cpp's llama-quant.cpp).

A mix has one type for most tensors and another for those that errors hurt more, by their role and
layer. For each role a table says it, by the mix's name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ggjit.gguf import GGMLType

from .mixes import Mix, find_mix
from .roles import Role, is_quantized, layer_of, role_of

F16, MXFP4, IQ4_NL = GGMLType.F16, GGMLType.MXFP4, GGMLType.IQ4_NL
Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 = (GGMLType[f"Q{n}"] for n in ("4_0", "4_1", "5_0", "5_1", "8_0"))
Q2_K, Q3_K, Q4_K, Q5_K, Q6_K = (GGMLType[f"Q{n}_K"] for n in range(2, 7))
IQ2_XXS, IQ2_S, IQ3_XXS, IQ3_S = (GGMLType[f"IQ{n}"] for n in ("2_XXS", "2_S", "3_XXS", "3_S"))

FLOATS = ("F32", "F16", "BF16")
TINY = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M")
FALLBACK = {  # for rows that are no whole blocks
    "IQ1_S": IQ4_NL, "IQ1_M": IQ4_NL, "IQ2_XXS": IQ4_NL, "IQ2_XS": IQ4_NL, "IQ2_S": IQ4_NL,
    "IQ3_XXS": IQ4_NL, "IQ3_S": IQ4_NL, "IQ4_XS": IQ4_NL, "Q2_K": Q4_0, "Q3_K": Q4_0,
    "TQ1_0": Q4_0, "TQ2_0": Q4_0, "Q4_K": Q5_0, "Q5_K": Q5_1, "Q6_K": Q8_0,
}  # fmt: skip
SEVENTY_B = {"deci": 80, "jais2": 68, "llama": 80, "olmo": 80, "qwen2": 80}  # layers


@dataclass(frozen=True)
class Model:
    """What a type depends on, from metadata; heads are those of the first layer."""

    architecture: str
    n_layers: int
    n_heads: int
    n_key_heads: int
    n_experts: int = 0

    @property
    def n_gqa(self) -> int:
        return self.n_heads // self.n_key_heads if self.n_key_heads else 0

    @property
    def is_70b(self) -> bool:
        shared = self.architecture != "llama" or self.n_heads != self.n_key_heads
        return shared and SEVENTY_B.get(self.architecture) == self.n_layers


@dataclass(frozen=True)
class Wishes:
    """What a user asks for: types of single tensors, and no mixing at all.

    The first override whose pattern is found in a name decides.
    """

    output: GGMLType | None = None
    embedding: GGMLType | None = None
    overrides: Sequence[tuple[str, GGMLType]] = ()
    pure: bool = False


def types_of(
    mix: str,
    tensors: Iterable[tuple[str, Sequence[int]]],
    model: Model,
    wishes: Wishes = Wishes(),
    has_importance: bool = False,
) -> dict[str, GGMLType]:
    """Return the types of the tensors to be quantized, by name; others stay what they are.

    `that_fits` says what becomes of those with rows that are no whole blocks.
    Shapes of tensors are NumPy's. Raises: ValueError for a mix that there is not.
    """
    shapes = dict(tensors)
    policy = Policy(find_mix(mix), model, wishes, has_importance, shapes)
    return {
        name: policy.type_of(name, shapes[name])
        for name in sorted(shapes, key=lambda name: (layer_of(name), name))
        if is_quantized(name, shapes[name])
    }


class Policy:
    """Decides on one tensor after the other, by layer and name: it counts those of each role."""

    def __init__(
        self, mix: Mix, model: Model, wishes: Wishes, has_importance: bool, names: Iterable[str]
    ) -> None:
        self.mix, self.model, self.wishes, self.has_importance = mix, model, wishes, has_importance
        self.n_of = Counter(map(role_of, names))
        self.seen: Counter[Role] = Counter()

    def type_of(self, name: str, shape: Sequence[int]) -> GGMLType:
        """Return the type of the next tensor."""
        role, wishes = role_of(name), self.wishes
        override = next((t for pattern, t in wishes.overrides if re.search(pattern, name)), None)
        by_name = override if name.startswith("per_layer") else None
        if role is Role.EMBEDDING and wishes.embedding is not None and by_name is None:
            return wishes.embedding
        if role is Role.OUTPUT and wishes.output is not None:
            return wishes.output
        if override is None and not wishes.pure and self.mix.name not in FLOATS:
            return self.mixed(role, name, shape)
        return override or self.mix.type

    def mixed(self, role: Role, name: str, shape: Sequence[int]) -> GGMLType:
        """Return what the mix has for a role, and count it."""
        mix, tied = self.mix.name, not self.n_of[Role.OUTPUT]
        if role is Role.OUTPUT or (tied and role is Role.EMBEDDING):
            return self.output(shape)
        if mix == "MXFP4_MOE":
            return MXFP4 if len(shape) > 2 and shape[-3] > 1 else Q8_0
        if role is Role.EMBEDDING:
            return self.embedding()
        table = self.tiny if mix in TINY else self.usual
        chosen = table(role, name).get(mix, self.mix.type)
        if role is Role.VALUE and mix not in TINY:
            chosen = self.value_of_large_models(chosen)
        self.seen[role] += 1
        return chosen

    def output(self, shape: Sequence[int]) -> GGMLType:
        mix, type = self.mix.name, self.mix.type
        if self.wishes.output is not None:
            return self.wishes.output
        uneven = self.model.architecture == "falcon" or shape[-1] % type.n_columns
        if mix == "MXFP4_MOE" or uneven:
            return Q8_0
        if mix in (*TINY, "IQ3_XXS"):
            return Q5_K
        return Q8_0 if type is Q8_0 else Q6_K

    def embedding(self) -> GGMLType:
        table = {
            "IQ2_XXS": Q2_K, "IQ2_XS": Q2_K, "IQ1_S": Q2_K, "IQ1_M": Q2_K, "IQ2_S": IQ3_S,
            "IQ2_M": IQ3_S, "IQ3_XXS": IQ3_S, "TQ1_0": Q4_K, "TQ2_0": Q4_K,
        }  # fmt: skip
        return table.get(self.mix.name, self.mix.type)

    def tiny(self, role: Role, name: str) -> dict[str, GGMLType]:
        """Return what mixes of IQ1 and IQ2 have for a role, by their names."""
        eight = self.model.n_experts == 8
        more = {m: IQ3_S if m in ("IQ2_S", "IQ2_M") else Q2_K for m in TINY}
        if role is Role.VALUE:
            many = self.model.n_gqa >= 4 or self.model.n_experts >= 4
            return dict.fromkeys(TINY, Q4_K) if many else more
        if role is Role.KEY and eight:
            return dict.fromkeys(TINY, Q4_K)
        if role is Role.DOWN and self.seen[role] < self.model.n_layers // 8:
            return more
        if role is Role.ATTENTION_OUTPUT:
            some = {"IQ1_S": IQ2_XXS, "IQ1_M": IQ2_XXS, "IQ2_S": IQ3_S, "IQ2_M": IQ3_S}
            return dict.fromkeys(TINY, Q5_K) if eight else some
        return {}

    def usual(self, role: Role, name: str) -> dict[str, GGMLType]:
        """Return what other mixes have for a role, by their names."""
        if role is Role.VALUE:
            return self.value()
        if role is Role.KEY and self.model.n_experts == 8:
            return {self.mix.name: Q8_0}
        if role in (Role.KEY, Role.QUERY):
            return {"IQ3_XS": IQ3_XXS, "IQ3_XXS": IQ2_S}
        if role is Role.ATTENTION_OUTPUT:
            return self.attention_output()
        layer = layer_of(name) if self.model.n_experts > 1 else self.seen[role]
        if role is Role.DOWN:
            return self.down(layer, self.model.n_layers)
        eighth = self.model.n_layers // 8
        middle = eighth <= layer < 7 * self.model.n_layers // 8
        return {"IQ3_XS": IQ3_XXS} if middle and role in (Role.GATE, Role.UP) else {}

    def value(self) -> dict[str, GGMLType]:
        i, n, mix = self.seen[Role.VALUE], self.n_of[Role.VALUE], self.mix.type
        shared = self.model.n_gqa >= 4  # few rows that many heads use
        more = Q6_K if gets_more_bits(i, n) else mix
        return {
            "Q2_K": Q4_K if shared else Q3_K,
            "Q2_K_S": Q4_K if shared else mix,
            "IQ3_XXS": Q4_K if shared else IQ3_XXS if self.has_importance else IQ3_S,
            "IQ3_XS": Q4_K if shared else mix,
            "IQ3_S": Q4_K if shared else mix,
            "IQ3_M": Q4_K,
            "Q3_K_M": Q5_K if i < 2 else Q4_K,
            "Q3_K_L": Q5_K,
            "IQ4_NL": Q5_K if shared else mix,
            "IQ4_XS": Q5_K if shared else mix,
            "Q4_K_S": Q5_K if i < 4 else mix,
            "Q4_K_M": more,
            "Q5_K_M": more,
        }

    def value_of_large_models(self, chosen: GGMLType) -> GGMLType:
        if self.model.n_experts == 8:
            return Q8_0
        return Q5_K if self.model.is_70b and chosen in (Q3_K, Q4_K) else chosen

    def down(self, i: int, n: int) -> dict[str, GGMLType]:
        mix, falcon = self.mix.type, self.model.architecture == "falcon"
        early, more = i < n // 8, gets_more_bits(i, n)
        guessed = not self.has_importance
        medium = Q4_K if more or not falcon else Q3_K
        large = (Q5_K if more else Q4_K) if falcon else Q6_K if more else Q4_K
        return {
            "Q2_K": Q3_K,
            "Q2_K_S": Q4_K if early else mix,
            "IQ3_XXS": (Q4_K if early else Q3_K) if guessed else mix,
            "Q3_K_M": Q5_K if i < n // 16 else medium,
            "IQ3_M": Q4_K if early or (more and self.model.n_experts == 8) else mix,
            "Q3_K_L": Q4_K if falcon else Q5_K,
            "Q4_K_M": Q6_K if falcon and i < n // 16 else large,
            "IQ4_NL": Q5_K if early and guessed else mix,
            "IQ4_XS": Q5_K if early and guessed else mix,
            "Q5_K_M": Q6_K if more else mix,
            "Q4_K_S": Q5_K if early and not falcon else mix,
            "Q4_0": mix if guessed or not early else Q4_1,
            "Q5_0": mix if guessed or not early else Q5_1,
        }

    def attention_output(self) -> dict[str, GGMLType]:
        if self.model.architecture == "falcon":
            return {"Q3_K_L": Q4_K}
        if self.model.n_experts == 8:
            names = ("Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M",
                     "IQ3_S", "IQ3_M", "IQ4_XS")  # fmt: skip
            return dict.fromkeys(names, Q5_K)
        return {"Q2_K": Q3_K, "IQ3_XXS": IQ3_S, "Q3_K_M": Q4_K, "Q3_K_L": Q5_K, "IQ3_M": Q4_K}


def gets_more_bits(i: int, n: int) -> bool:
    """Tell whether layer i of n is among the first or last eighth, or every third between."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


def that_fits(type: GGMLType, n_columns: int) -> GGMLType:
    """Return a type, or what comes closest to it for rows that are no whole blocks of it."""
    if n_columns % type.n_columns:
        type = FALLBACK.get(type.name, type)
    return F16 if n_columns % type.n_columns else type
