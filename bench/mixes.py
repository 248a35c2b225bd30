"""Which type a model's matrices have in files of one type, and in llama.cpp's mixes of types.

Mixes give more bits to the matrices that need them most; which, depends on the layer. For the
llama architecture, without an importance matrix. Source: llama.cpp src/llama-quant.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import gguf

from ggjit.gguf import GGMLType as Type

Layers = Callable[[int, int], bool]  # (number of a layer, how many there are) -> is it meant?


def every(i: int, n: int) -> bool:
    """Mean every layer."""
    return True


def first_eighth(i: int, n: int) -> bool:
    """Mean the first eighth of the layers."""
    return i < n // 8


def more_bits(i: int, n: int) -> bool:
    """Mean the first and the last eighth, and every third layer between."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


def first(count: int) -> Layers:
    """Mean the first `count` layers."""
    return lambda i, n: i < count


@dataclass(frozen=True)
class Mix:
    """A type for most matrices, and others for some: by part, the first whose layers are meant."""

    most: Type
    others: dict[str, list[tuple[Layers, Type]]] = field(default_factory=dict)

    def type_of(self, part: str, layer: int, n_layers: int) -> Type:
        """Return the type of `part` (`attn_v`, ...) of a layer, or of `output`."""
        rules = self.others.get(part, [])
        return next((type for layers, type in rules if layers(layer, n_layers)), self.most)


def _mix(most: Type, **others: list[tuple[Layers, Type]]) -> Mix:
    return Mix(most, {"output": [(every, Type.Q6_K)], **others})


MIXES = {
    "q3_k_s": _mix(Type.Q3_K),
    "q3_k_m": _mix(
        Type.Q3_K,
        attn_v=[(first(2), Type.Q5_K), (every, Type.Q4_K)],
        attn_output=[(every, Type.Q4_K)],
        ffn_down=[(lambda i, n: i < n // 16, Type.Q5_K), (every, Type.Q4_K)],
    ),
    "q3_k_l": _mix(
        Type.Q3_K,
        attn_v=[(every, Type.Q5_K)],
        attn_output=[(every, Type.Q5_K)],
        ffn_down=[(every, Type.Q5_K)],
    ),
    "q4_k_s": _mix(Type.Q4_K, attn_v=[(first(4), Type.Q5_K)], ffn_down=[(first_eighth, Type.Q5_K)]),
    "q4_k_m": _mix(Type.Q4_K, attn_v=[(more_bits, Type.Q6_K)], ffn_down=[(more_bits, Type.Q6_K)]),
    "q5_k_s": _mix(Type.Q5_K),
    "q5_k_m": _mix(Type.Q5_K, attn_v=[(more_bits, Type.Q6_K)], ffn_down=[(more_bits, Type.Q6_K)]),
}
NAMES = (*(type.name.lower() for type in Type), *MIXES)


def find(name: str) -> Mix:
    """Return a mix, or for the name of a tensor type all matrices in it."""
    return MIXES.get(name) or Mix(Type[name.upper()])


def file_type(name: str) -> int:
    """Return llama.cpp's number for such a file; where it has none, that for a guess."""
    wanted = (f"MOSTLY_{name.upper()}", f"ALL_{name.upper()}", f"MOSTLY_{name.upper()}_S")
    known = {kind.name: int(kind) for kind in gguf.LlamaFileType}
    return next((known[w] for w in wanted if w in known), known["GUESSED"])
