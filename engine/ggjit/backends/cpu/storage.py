"""Where buffers live: storage planned once, reused as soon as nothing reads it any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph import Buffer, Linear, Op, RMSNorm, Rope, Route, Scale, Softcap, Temper
from ...kernels.tiles import BLOCK, BLOCKS, SPARE, column_bytes, meta_bytes
from .memory import address, aligned


@dataclass(frozen=True, eq=False)
class Rows:
    """Float rows, padded with zeros to 16 columns."""

    array: npt.NDArray[Any]
    stride: int  # bytes

    @property
    def address(self) -> int:
        return address(self.array)


@dataclass(frozen=True, eq=False)
class Quantized:
    """Integers in some form (see tiles.py), and their scales and sums; SPARE rows more."""

    q: npt.NDArray[Any]
    meta: npt.NDArray[Any]
    form: int


@dataclass
class Storage:
    """Rows of every buffer, and the integer form of those that integer products read."""

    wide: bool = False  # integers that steps make for themselves are of 16 bits
    rows: dict[Buffer, Rows] = field(default_factory=dict)
    quantized: dict[Buffer, Quantized] = field(default_factory=dict)


def plan(
    ops: list[Op], forms: dict[Buffer, int], n_rows: int, n_selected: int, wide: bool,
    unused: Storage | None = None,
) -> Storage:  # fmt: skip
    """Give every buffer storage, and those in `forms` integers in that form.

    Buffers of one width share it when their lives do not overlap; what routers chose stays, to be
    looked at after a run. A matrix product or a norm may write over its residual, a rotation and
    what scales over its input: each element is read by who writes it. What `unused` has is free.
    """
    storage, free_rows, free_q = Storage(wide), _Pool(), _Pool()

    def key_of(b: Buffer) -> tuple[int, int]:
        return b.width, n_selected if b.selected else n_rows * max(1, b.n_chosen)

    if unused:
        free_rows.give_all(key_of, unused.rows)
        before = unused.quantized
        free_q.give_all(lambda b: (*key_of(b), before[b].form), before)
    kept = {op.out for op in ops if isinstance(op, Route)}
    last = {b: i for i, op in enumerate(ops) for b in op.inputs()}
    for i, op in enumerate(ops):
        key = key_of(op.out)
        over = _overwritable(op)
        if over and last[over] == i:
            storage.rows[op.out] = storage.rows[over]
        else:
            storage.rows[op.out] = free_rows.take(key) or new_rows(*key)
        if op.out in forms:
            form = forms[op.out]
            free = free_q.take((*key, form))
            storage.quantized[op.out] = free or new_quantized(*key, form)
        for b in {b for b in op.inputs() if last[b] == i}:
            of = key_of(b)
            if b in kept:
                continue
            if storage.rows[b] is not storage.rows[op.out]:
                free_rows.give(of, storage.rows[b])
            if b in storage.quantized:
                free_q.give((*of, forms[b]), storage.quantized[b])
    return storage


def _overwritable(op: Op) -> Buffer | None:
    """Return the input that an operation may write its output over."""
    if isinstance(op, Rope | Scale | Softcap | Temper):
        return op.x
    return op.residual if isinstance(op, Linear | RMSNorm) and op.residual != op.x else None


class _Pool:
    """Storage that is free, by size."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, ...], list[Any]] = defaultdict(list)

    def take(self, key: tuple[int, ...]) -> Any:
        return self._free[key].pop() if self._free[key] else None

    def give(self, key: tuple[int, ...], storage: Any) -> None:
        self._free[key].append(storage)

    def give_all(self, key_of: Callable[[Buffer], tuple[int, ...]], of: dict[Buffer, Any]) -> None:
        """Take what buffers have, each once."""
        for b, storage in {id(s): (b, s) for b, s in of.items()}.values():
            self.give(key_of(b), storage)


def new_rows(width: int, n_rows: int) -> Rows:
    """Return room for so many rows."""
    padded = (width + 15) // 16 * 16
    return Rows(aligned(n_rows * padded, np.float32).reshape(n_rows, padded), 4 * padded)


def new_quantized(width: int, n_rows: int, form: int) -> Quantized:
    """Return room for so many rows as integers."""
    assert form != BLOCKS or width % BLOCK == 0, width
    n_rows += SPARE
    meta = aligned(n_rows * meta_bytes(form, width), np.uint8)
    return Quantized(aligned(n_rows * column_bytes(form) * width, np.int8), meta, form)
