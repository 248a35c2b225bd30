"""Steps of a tape: a kernel, its operands, the storage it touches; pieces to make them of."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...graph import Buffer, Op, RopeSpec
from ...jit import Kernel
from ...kernels import quantize, rope
from ...kernels.tiles import BLOCKS, TileShape, tile_shape
from .batch import Batch
from .cache import CacheLayout
from .memory import address, aligned
from .storage import Storage
from .weights import PackedWeights

PIECE = 64 << 10  # bytes of weights that are worth asking for: some microseconds
PIECES = 4  # for each thread, at most: the first lines of each wait for memory

Operands = dict[str, float]
AnyPieces = TypeVar("AnyPieces", bound="Pieces")
Split = tuple[str, int]  # how threads divide something: ("tokens", count) or ("columns", width)


@dataclass(frozen=True)
class Step:
    """One kernel call. `reads` and `writes` are identities of storage; `reads_by` and `writes_by`
    tell which part of them a thread keeps to, None that it may be any."""

    kernel: Kernel
    operands: Operands
    reads: frozenset[int]
    writes: frozenset[int]
    reads_by: Split | None = None
    writes_by: Split | None = None
    n_pieces: int = 0  # that threads take one after the other; 0: each has its part


class Pieces:
    """What steps are made of, given where everything lies."""

    def __init__(
        self, storage: Storage, weights: PackedWeights, batch: Batch, cache: CacheLayout,
        n_rows: int, n_threads: int, shape: TileShape | None = None,
    ) -> None:  # fmt: skip
        self.storage, self.weights, self.batch, self.cache = storage, weights, batch, cache
        self.n_rows, self.n_threads, self.shape = n_rows, n_threads, shape or tile_shape()
        self._kept: list[object] = []  # what steps know by address or identity
        self._angles: dict[int, np.ndarray] = {}
        self._scratch: dict[int, np.ndarray] = {}
        self._spans: dict[int, np.ndarray] = {}

    def beside(self: AnyPieces, storage: Storage) -> AnyPieces:
        """Return what makes another tape's steps: in the same memory, as one runs at a time."""
        other = copy(self)
        other.storage, other._angles = storage, {}
        return other

    def _step(
        self, op: Op, kernel: Kernel, operands: Operands, *, by: Split | None = None,
        writes_by: Split | None = None, more_reads: Iterable[object] = (),
        writes: Iterable[object] | None = None, n_pieces: int = 0,
    ) -> Step:  # fmt: skip
        """Make a step that reads the operation's inputs and writes its output, or `writes`."""
        touched = {id(s) for b in (*op.inputs(), op.out) for s in self._storages(b)}
        written = self._storages(op.out) if writes is None else writes
        return Step(
            kernel, {"count": self._count(op.out), **operands},
            frozenset(touched | {id(s) for s in more_reads}), frozenset(id(s) for s in written),
            by, writes_by or by, n_pieces,
        )  # fmt: skip

    def _pieces(self, n_bytes: int) -> int:
        """Return into how many pieces a product with so many bytes of weights is cut."""
        n = min(n_bytes // PIECE, PIECES * self.n_threads)
        return n if n > self.n_threads > 1 else 0

    def _quantize(self, x: Buffer) -> Iterable[Step]:
        """Yield the step that makes a buffer's integer form, if something wants it."""
        if x not in self.storage.quantized:
            return
        operands: Operands = {"n_columns": x.width, "count": self._count(x)}
        operands |= self._rows("x", x) | self._integers(x)
        reads, writes = {id(self.storage.rows[x])}, {id(self.storage.quantized[x])}
        yield Step(quantize.quantize, operands, frozenset(reads), frozenset(writes))

    def _angles_step(self, spec: RopeSpec) -> Step:
        """Make the step that computes a batch's angles, once for all layers."""
        angles = self._angles[id(spec)] = aligned(2 * self.n_rows * spec.n_pairs, np.float32)
        self._kept += [spec, spec.frequencies]
        operands = {
            "frequencies": address(spec.frequencies),
            "n_pairs": spec.n_pairs,
            "scale": spec.magnitude,
            "positions": self.batch.address_of("positions"),
            "out": address(angles),
            "count": self.batch.address_of("n_tokens"),
        }
        by = ("tokens", self.batch.address_of("n_tokens"))
        return Step(rope.rope_angles, operands, frozenset(), frozenset({id(angles)}), by, by)

    def _tokens(self, op: Op) -> Split:
        return "tokens", self._count(op.out)

    def _count(self, out: Buffer) -> int:
        """Return the address of the number of rows."""
        if out.selected:
            return self.batch.address_of("n_selected")
        return self.batch.address_of_rows(max(1, out.n_chosen))

    def _storages(self, buffer: Buffer) -> list[object]:
        quantized = self.storage.quantized.get(buffer)
        return [self.storage.rows[buffer], *([quantized] if quantized else [])]

    def _at(self, buffer: Buffer) -> int:
        return self.storage.rows[buffer].address

    def _rows(self, name: str, buffer: Buffer, stride: str = "stride") -> Operands:
        return {name: self._at(buffer), stride: self.storage.rows[buffer].stride}

    def _in_blocks(self, buffer: Buffer) -> bool:
        """Tell whether a buffer's integer form has blocks, which no two threads may part."""
        quantized = self.storage.quantized.get(buffer)
        return quantized is not None and quantized.form == BLOCKS

    def _integers(self, buffer: Buffer | None, name: str = "q") -> Operands:
        """Return where the integer form goes; zeros if nothing wants it."""
        quantized = self.storage.quantized.get(buffer) if buffer else None
        if quantized is None:
            return {name: 0, "form": 0, "meta": 0}
        meta = address(quantized.meta)
        return {name: address(quantized.q), "form": quantized.form, "meta": meta}

    def _scratch_of(self, n_bytes: int) -> Operands:
        """Return memory that is each thread's own, valid within a step."""
        step = (n_bytes + 127) // 64 * 64
        if step not in self._scratch:
            self._scratch[step] = aligned(step * self.n_threads, np.uint8)
        return {"scratch": address(self._scratch[step]), "scratch_step": step}

    def _spans_of(self, n_bytes: int) -> np.ndarray:
        """Return memory where threads that attend together meet; a step leaves its start zero."""
        if n_bytes not in self._spans:
            self._spans[n_bytes] = aligned(n_bytes, np.uint8)
        return self._spans[n_bytes]
