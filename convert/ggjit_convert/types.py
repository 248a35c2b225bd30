"""Which type each tensor of a file gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ggjit.gguf import GGMLType

from .arrays import Array

FLOATS = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)

# Small and sensitive; engines expect them in float32. Source: prepare_tensors of llama.cpp's
# converter.
ALWAYS_F32 = re.compile(
    r"_norm\.weight$|\.ffn_gate_inp(_shexp)?\.weight$|^(position_embd|token_types)\.weight$"
    r"|\.ssm_conv1d(_[qkv])?\.weight$|\.shortconv\.conv\.weight$|(?<!\.weight)$"
)
# What general.file_type says. Source: llama_ftype in llama.h.
FILE_TYPES = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10,
    "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16,
    "Q5_K_M": 17, "Q6_K": 18, "IQ2_XXS": 19, "IQ2_XS": 20, "Q2_K_S": 21, "IQ3_XS": 22,
    "IQ3_XXS": 23, "IQ1_S": 24, "IQ4_NL": 25, "IQ3_S": 26, "IQ3_M": 27, "IQ2_S": 28, "IQ2_M": 29,
    "IQ4_XS": 30, "IQ1_M": 31, "BF16": 32, "TQ1_0": 36, "TQ2_0": 37, "MXFP4": 38,
}  # fmt: skip
SAME = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4_MOE": "MXFP4"}


def known_type(name: str) -> str:
    """Return a type's or mix's proper name. Raises: ValueError listing those known."""
    proper = name.upper().replace("-", "_")
    proper = SAME.get(proper, proper)
    if proper != "AUTO" and proper not in FILE_TYPES:
        known = ", ".join(["auto", *(n.lower() for n in FILE_TYPES)])
        raise ValueError(f"type {name!r} is not known; known: {known}")
    return proper


def chosen(name: str, tensors: Mapping[str, Array]) -> dict[str, GGMLType]:
    """Return each tensor's type: that of the source, or one for all; small ones stay float32."""
    return {n: _one(name, n, a) for n, a in tensors.items()}


def file_type(name: str, types: Sequence[GGMLType]) -> int:
    """Return what general.file_type says of a file; for "AUTO" by what most matrices have."""
    if name != "AUTO":
        return FILE_TYPES[name]
    matrices = [kind for kind in types if kind is not GGMLType.F32]
    most = max(matrices, key=matrices.count, default=GGMLType.F32)
    return FILE_TYPES[SAME.get(most.name, most.name)]


def stays_float(name: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a tensor is float32 in every file."""
    return len(shape) < 2 or bool(ALWAYS_F32.search(name))


def _one(wanted: str, name: str, a: Array) -> GGMLType:
    if stays_float(name, a.shape):
        return GGMLType.F32
    kind = a.type if wanted == "AUTO" else GGMLType[wanted]
    return kind if a.shape[-1] % kind.n_columns == 0 else GGMLType.F16
