"""MXFP4 as gpt-oss and compressed-tensors have it, kept as it is: only bits move.

A block of the checkpoint is a scale elsewhere and 16 bytes with neighbours in each; GGML's is the
scale and 16 bytes with the columns i and i + 16 in byte i. Source: block_mxfp4 of ggml-common.h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ggjit.formats import all_formats
from ggjit.gguf import GGMLType

from ..arrays import Array, Bytes, Floats
from ..transforms import reshaped
from .parts import check_matrix, check_shape, integers, nibbles, taken_integers
from .settings import Settings, Tensors

COLUMNS = 32


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    out = dict(tensors)
    for name in [name for name in out if name.endswith("_blocks")]:
        base = name.removesuffix("_blocks")
        codes, scales = (taken_integers(out, n) for n in (name, f"{base}_scales"))
        check_matrix(scales)
        check_shape(codes, *scales.shape, COLUMNS // 2)
        out[base] = Mxfp4(base, codes, scales)
    return out


def fold_packed(tensors: Tensors) -> Tensors:
    """Fold what compressed-tensors has: rows of blocks, one behind the other."""
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".weight_packed")]:
        base = name.removesuffix("_packed")
        codes, scales = (taken_integers(out, n) for n in (name, f"{base}_scale"))
        check_matrix(scales)
        check_shape(codes, *scales.shape[:-1], scales.shape[-1] * COLUMNS // 2)
        out[base] = Mxfp4(base, reshaped(codes, *scales.shape, COLUMNS // 2), scales)
    return out


@dataclass(frozen=True, eq=False)
class Mxfp4:
    """An `Array` of blocks. Shapes: codes [n, ..., blocks, 16], scales [n, ..., blocks]."""

    name: str
    codes: Array
    scales: Array
    what: str = "bits moved"
    type: GGMLType = GGMLType.MXFP4

    @property
    def sources(self) -> tuple[Array, ...]:
        return self.codes, self.scales

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.scales.shape[:-1], self.scales.shape[-1] * COLUMNS)

    def rows(self, start: int, stop: int) -> Floats:
        blocks = self.blocks(start, stop).reshape(-1)
        values = all_formats()[self.type].decode_rows(blocks, self.shape[-1])
        return np.ascontiguousarray(values).reshape(stop - start, *self.shape[1:])

    def blocks(self, start: int, stop: int) -> Bytes:
        pairs = integers(self.codes, start, stop).astype(np.uint8)
        columns = nibbles(pairs)
        codes = columns[..., :16] | columns[..., 16:] << 4
        scales = integers(self.scales, start, stop).astype(np.uint8)[..., None]
        blocks = np.concatenate([scales, codes], -1)
        return blocks.reshape(*blocks.shape[:-2], -1)
