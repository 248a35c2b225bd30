"""What a GGML tensor type has to say: how its blocks decode, and how they are packed into lanes.

Lanes are groups of 16 rows, block by block: where GGML stores one row's block (scale, quants),
a packed block holds the same item of 16 rows side by side, so that one vector instruction works
on 16 rows and no sum ever crosses a vector. Packing moves whole items and loses nothing. Types
that cannot be computed with as they are have their blocks relaid before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gguf import GGMLType

N_ROWS = 16  # rows of a group
RELAID = 1 << 18  # columns relaid at a time
EXPONENTS = {2: 0x7C00, 4: 0x7F800000, 8: 0x7FF << 52}  # by bytes of a float

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Records = npt.NDArray[Any]  # GGML blocks [n], their items by name


@dataclass(frozen=True)
class Field:
    """`count` items of `size` bytes at `offset` of a row's block; `flip` is xored into each.

    `exponent` are the bits of a float of which one at least is 0 unless it is NaN or infinite.
    """

    offset: int
    size: int  # 1, 2 or 4
    count: int
    flip: int = 0
    exponent: int = 0

    def __post_init__(self) -> None:
        assert self.size in (1, 2, 4), self.size


@dataclass(frozen=True)
class BlockScales:
    """Scales that are a float of a whole block of 256 columns times small integers.

    scale = d * s, with s in -128..127; minimum = dmin * m, with m in 0..63. Device functions:
    `d(p)` and `dmin(p)` return floats, `s(p, k)` and `m(p, k)` int32, one a row.
    """

    d: Any
    s: Any
    dmin: Any = None
    m: Any = None


@dataclass(frozen=True)
class IntLanes:
    """Integer weights: value = scale * (quant - 2**shift) + minimum.

    A packed block has the columns of a GGML block, worked on in runs of 32. The device functions
    take the address of a packed block and a number. `quants(p, j)` returns columns 32j to 32j + 31
    in eight registers: register i holds four of them, 4i..4i+3, of 16 rows, as unsigned bytes below
    2**n_bits. `scale(p, k)` and `minimum(p, k)` return those of the k-th `span` columns, one float
    a row. `shift` None: nothing is subtracted; `minimum` None: nothing is added. `of_block`
    tells how both are made, where they are integers of a block.
    """

    fields: tuple[Field, ...]
    quants: Any
    scale: Any
    minimum: Any = None
    shift: int | None = None
    span: int = 32  # columns that share a scale: 16 or 32
    n_bits: int = 8
    of_block: BlockScales | None = None

    def __post_init__(self) -> None:
        assert self.span in (16, 32), self.span


@dataclass(frozen=True)
class FloatLanes:
    """Float weights: a packed block is one column of 16 rows; `values` returns it as f32x16."""

    fields: tuple[Field, ...]
    values: Any


Lanes = IntLanes | FloatLanes


@dataclass(frozen=True, eq=False)
class Format:
    """A GGML tensor type.

    `block` names the items of a GGML block. `decoder` returns its values, in the order of columns;
    `relayer`, for types that are not packed as they are, the bytes [n, packed_bytes] that `lanes`
    describes. `scales` returns what has to be finite where that is not simply every float item.
    """

    type: GGMLType
    block: np.dtype[Any]
    decoder: Callable[[Records], Floats]
    lanes: Lanes
    relayer: Callable[[Records], Bytes] | None = None
    scales: Callable[[Records], Floats] | None = None

    def __post_init__(self) -> None:
        assert self.block.itemsize == self.n_bytes, self.name
        assert self.relayer or self.packed_bytes == self.n_bytes, self.name

    @property
    def name(self) -> str:
        return self.type.name.lower()

    @property
    def n_columns(self) -> int:
        """Columns of a block."""
        return self.type.n_columns

    @property
    def n_bytes(self) -> int:
        """Bytes of a block in the file."""
        return self.type.n_bytes

    @property
    def packed_bytes(self) -> int:
        """Bytes of a row's part of a packed block."""
        return sum(f.size * f.count for f in self.lanes.fields)

    def records(self, blocks: Bytes) -> Records:
        """Return blocks with their items by name. Shapes: [..., n_bytes] to [n]."""
        return np.ascontiguousarray(blocks).reshape(-1).view(self.block)

    def decode(self, blocks: Bytes) -> Floats:
        """Decode blocks. Shapes: [..., n_bytes] to [..., n_columns]."""
        values = self.decoder(self.records(blocks))
        return values.reshape(*blocks.shape[:-1], self.n_columns)

    def decode_rows(self, data: Bytes, n_columns: int) -> Floats:
        """Decode whole rows. Shapes: returns [n_rows, n_columns]."""
        blocks = data.reshape(-1, n_columns // self.n_columns, self.n_bytes)
        return self.decode(blocks).reshape(len(blocks), n_columns)

    @property
    def relay(self) -> Callable[[Bytes], Bytes] | None:
        """The function from blocks [n, n_bytes] to [n, packed_bytes]; None if they stay."""
        return self._relay if self.relayer else None

    def _relay(self, blocks: Bytes) -> Bytes:
        """Relay a few blocks at a time: what is between fits in a cache."""
        assert self.relayer
        out = np.empty((len(blocks), self.packed_bytes), np.uint8)
        step = RELAID // self.n_columns
        for i in range(0, len(blocks), step):
            out[i : i + step] = self.relayer(self.records(blocks[i : i + step]))
        return out

    @property
    def checks_itself(self) -> bool:
        """Whether packing finds every scale or float that is NaN or infinite."""
        return not self.relayer and any(f.exponent for f in self.lanes.fields)

    @property
    def field_table(self) -> npt.NDArray[np.int64]:
        """The fields as kernels read them. Shapes: [n_fields, 5]."""
        rows = [(f.offset, f.size, f.count, f.flip, f.exponent) for f in self.lanes.fields]
        return np.array(rows, np.int64)

    def finite(self, blocks: Bytes) -> bool:
        """Tell whether no scale or float of the blocks is NaN or infinite."""
        records = self.records(blocks)
        if self.scales:
            return all_finite(self.scales(records))
        items = [records[name] for name in self.block.names] if self.block.names else [records]
        return all(all_finite(item) for item in items if item.dtype.kind == "f")


def item(block: np.dtype[Any], name: str, size: int | None = None, flip: int = 0) -> Field:
    """Return the field of an item of a block, moved as a whole or in pieces of `size` bytes."""
    assert block.fields
    kind, offset = block.fields[name][:2]
    size = size or kind.itemsize
    exponent = EXPONENTS[size] if kind.kind == "f" else 0
    return Field(offset, size, kind.itemsize // size, flip, exponent)


def all_finite(x: npt.NDArray[Any]) -> bool:
    """Tell whether no float is NaN or infinite, that is, has an exponent of ones."""
    exponent = EXPONENTS[x.itemsize]
    bits = x.view(f"u{x.itemsize}")
    return not np.any(bits & bits.dtype.type(exponent) == exponent)
