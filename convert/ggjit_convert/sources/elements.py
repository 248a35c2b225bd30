"""What the elements of a checkpoint's tensors are, and which GGML type holds them exactly.

Float8 is that of the OCP specification: e4m3fn has no infinities, e5m2 is the upper byte of a half,
e8m0 a power of two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ggjit.gguf import GGMLType

from ..arrays import Bytes, Floats

Values = npt.NDArray[Any]

BITS = {GGMLType.F16: "<f2", GGMLType.BF16: "<u2", GGMLType.F32: "<f4", GGMLType.F64: "<f8"}


@dataclass(frozen=True)
class Element:
    """`dtype` as the file stores it; `widen` gives it as `type` does, where they differ."""

    dtype: np.dtype[Any]
    type: GGMLType
    widen: Callable[[Values], Values] | None = None

    def stored(self, values: Values) -> Values:
        """Return values as `type` stores them."""
        return self.widen(values) if self.widen else values

    def floats(self, values: Values) -> Floats:
        """Return values as float32, bfloat16 in one pass."""
        values = self.stored(values)
        if self.type is GGMLType.BF16:
            out = np.empty(values.shape, np.uint32)
            np.left_shift(values, 16, out=out, dtype=np.uint32)
            return out.view(np.float32)
        with np.errstate(over="ignore"):  # of a float64: infinity is the pipeline's to refuse
            return np.asarray(values, np.float32)


def as_bytes(values: Values) -> Bytes:
    """Return the bytes of elements. Shapes: [n, ..., k] to [n, ..., bytes]; [n] to [n, bytes]."""
    values = np.ascontiguousarray(values if values.ndim > 1 else values[:, None])
    return values.view(np.uint8)


def _bf16_of_e4m3() -> npt.NDArray[np.uint16]:
    code = np.arange(256)
    exponent, mantissa = code >> 3 & 15, code & 7
    size = np.where(exponent == 0, mantissa * 2.0**-9, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))
    size[code & 127 == 127] = np.nan
    value = np.where(code < 128, size, -size).astype(np.float32)
    return (value.view(np.uint32) >> 16).astype(np.uint16)


def _bf16_of_e5m2() -> npt.NDArray[np.uint16]:
    halves = (np.arange(256, dtype=np.uint16) << 8).view(np.float16)
    return (halves.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def _bf16_of_e8m0() -> npt.NDArray[np.uint16]:
    bits = (np.arange(256) << 7).astype(np.uint16)  # only exponents
    bits[0], bits[255] = 0x0040, 0x7FC0  # 2**-127 has none of its own there; not a number
    return bits


E4M3, E5M2, E8M0 = _bf16_of_e4m3(), _bf16_of_e5m2(), _bf16_of_e8m0()

F32 = Element(np.dtype("<f4"), GGMLType.F32)
F16 = Element(np.dtype("<f2"), GGMLType.F16)
BF16 = Element(np.dtype("<u2"), GGMLType.BF16)
I32 = Element(np.dtype("<i4"), GGMLType.I32)

# By the names that safetensors gives them.
ELEMENTS = {
    "F64": Element(np.dtype("<f8"), GGMLType.F64),
    "F32": F32,
    "F16": F16,
    "BF16": BF16,
    "F8_E4M3": Element(np.dtype("u1"), GGMLType.BF16, lambda x: E4M3[x]),
    "F8_E5M2": Element(np.dtype("u1"), GGMLType.BF16, lambda x: E5M2[x]),
    "F8_E8M0": Element(np.dtype("u1"), GGMLType.BF16, lambda x: E8M0[x]),
    "I64": Element(np.dtype("<i8"), GGMLType.I64),
    "I32": I32,
    "I16": Element(np.dtype("<i2"), GGMLType.I16),
    "I8": Element(np.dtype("i1"), GGMLType.I8),
    "U32": Element(np.dtype("<u4"), GGMLType.I64, lambda x: x.astype("<i8")),
    "U16": Element(np.dtype("<u2"), GGMLType.I32, lambda x: x.astype("<i4")),
    "U8": Element(np.dtype("u1"), GGMLType.I16, lambda x: x.astype("<i2")),
    "BOOL": Element(np.dtype("u1"), GGMLType.I8, lambda x: (x != 0).astype("i1")),
}
