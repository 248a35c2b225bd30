"""The names that models are quantized by: a type for most tensors, and `general.file_type`.

Numbers are those of `enum llama_ftype`; Q3_K, Q4_K and Q5_K are short for the medium mixes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ggjit.gguf import GGMLType


@dataclass(frozen=True)
class Mix:
    """What a name stands for."""

    name: str
    type: GGMLType
    file_type: int


def _mixes(**numbers: int) -> dict[str, Mix]:
    return {name: Mix(name, GGMLType[_TYPES.get(name, name)], n) for name, n in numbers.items()}


_TYPES = {  # where a mix is not named as its type
    "Q2_K_S": "Q2_K", "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K", "Q4_K_S": "Q4_K",
    "Q4_K_M": "Q4_K", "Q5_K_S": "Q5_K", "Q5_K_M": "Q5_K", "IQ2_S": "IQ2_XS", "IQ2_M": "IQ2_S",
    "IQ3_XS": "IQ3_S", "IQ3_M": "IQ3_S", "MXFP4_MOE": "MXFP4",
}  # fmt: skip

MIXES = _mixes(
    F32=0, F16=1, Q4_0=2, Q4_1=3, Q8_0=7, Q5_0=8, Q5_1=9, Q2_K=10, Q3_K_S=11, Q3_K_M=12, Q3_K_L=13,
    Q4_K_S=14, Q4_K_M=15, Q5_K_S=16, Q5_K_M=17, Q6_K=18, IQ2_XXS=19, IQ2_XS=20, Q2_K_S=21,
    IQ3_XS=22, IQ3_XXS=23, IQ1_S=24, IQ4_NL=25, IQ3_S=26, IQ3_M=27, IQ2_S=28, IQ2_M=29, IQ4_XS=30,
    IQ1_M=31, BF16=32, TQ1_0=36, TQ2_0=37, MXFP4_MOE=38,
)  # fmt: skip
NAMED = MIXES | _mixes(MXFP4=38)  # llama-quantize has it for experts only
SHORT = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
COPIED = {"NVFP4": 39, "Q1_0": 40, "Q2_0": 41}  # types that files have, but are not made
GUESSED = 1024  # the number of everything else


def find_mix(name: str) -> Mix:
    """Return a mix by its name, in any case. Raises: ValueError for one that there is not."""
    upper = name.upper()
    found = NAMED.get(SHORT.get(upper, upper))
    if found is None:
        raise ValueError(f"type {name!r} is none of {', '.join(NAMED).lower()}")
    return found


def mix_of(type: GGMLType) -> Mix:
    """Return what a file is called whose weights are of a type."""
    found = NAMED.get(SHORT.get(type.name, type.name))
    return found or Mix(type.name, type, COPIED.get(type.name, GUESSED))
