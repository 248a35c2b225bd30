"""What a GGML tensor type has to say: how its blocks decode, and how they are packed into lanes.

Lanes are groups of 16 rows, block by block: where GGML stores one row's block (scale, quants),
a packed block holds the same item of 16 rows side by side, so that one vector instruction works
on 16 rows and no sum ever crosses a vector. Packing moves whole items and loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

N_ROWS = 16  # rows of a group

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Field:
    """`count` items of `size` bytes at `offset` of a GGML block; `flip` is xored into each."""

    offset: int
    size: int  # 1, 2 or 4
    count: int
    flip: int = 0

    def __post_init__(self) -> None:
        assert self.size in (1, 2, 4), self.size


@dataclass(frozen=True)
class IntLanes:
    """Integer weights: value = scale * (quant - 2**shift) + minimum.

    A packed block has the columns of a GGML block, worked on in runs of 32. The device functions
    take the address of a packed block and a number. `quants(p, j)` returns columns 32j to 32j + 31
    in eight registers: register i holds four of them, 4i..4i+3, of 16 rows, as unsigned bytes below
    2**n_bits. `scale(p, k)` and `minimum(p, k)` return those of the k-th `span` columns, one float
    a row. `shift` None: nothing is subtracted; `minimum` None: nothing is added.
    """

    fields: tuple[Field, ...]
    quants: Any
    scale: Any
    minimum: Any = None
    shift: int | None = None
    span: int = 32  # columns that share a scale: 16 or 32
    n_bits: int = 8

    def __post_init__(self) -> None:
        assert self.span in (16, 32), self.span


@dataclass(frozen=True)
class FloatLanes:
    """Float weights: a packed block is one column of 16 rows; `values` returns it as f32x16."""

    fields: tuple[Field, ...]
    values: Any


Lanes = IntLanes | FloatLanes


@dataclass(frozen=True)
class Format:
    """A GGML tensor type. `decode` takes blocks [..., block bytes] to float32 [..., n_columns]."""

    type: gguf.GGMLQuantizationType
    decode: Callable[[Bytes], Floats]
    lanes: Lanes

    @property
    def name(self) -> str:
        return self.type.name.lower()

    @property
    def n_columns(self) -> int:
        """Columns of a block."""
        return gguf.GGML_QUANT_SIZES[self.type][0]

    @property
    def n_bytes(self) -> int:
        """Bytes of a block in the file."""
        return gguf.GGML_QUANT_SIZES[self.type][1]

    @property
    def packed_bytes(self) -> int:
        """Bytes of a row's part of a packed block."""
        return self.n_bytes

    def decode_rows(self, data: Bytes, n_columns: int) -> Floats:
        """Decode whole rows. Shapes: returns [n_rows, n_columns]."""
        blocks = data.reshape(-1, n_columns // self.n_columns, self.n_bytes)
        return self.decode(blocks).reshape(len(blocks), n_columns)
