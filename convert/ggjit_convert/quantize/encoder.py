"""Blocks of 16 rows side by side in lanes: a type's function sees one block, as 16 of them.

The same columns of 16 rows are transposed into vectors, so that everything in a block happens in
order and in all lanes alike, and a column's importance is one number for all. What comes out is
bytes, 16 blocks' side by side, which are transposed back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from ggjit.backends.cpu.memory import address, aligned
from ggjit.backends.cpu.threads import Call, run_parallel
from ggjit.formats import N_ROWS
from ggjit.gguf import GGMLType
from ggjit.jit import Kernel, device, kernel
from ggjit.kernels.threads import share
from ggjit.simd.ops import (
    absolute,
    load,
    load_each,
    max_all,
    maximum,
    store,
    store_each,
    transpose,
    zeros,
)
from ggjit.simd.types import f32x16, tile, u8x16

from ..arrays import Bytes, Floats

VECTOR = 64  # bytes
LIMIT = 1e9  # no scale of 16 bits reaches so far, and no sum of products overflows before
_SQUARE, _BYTES = tile(f32x16, 16), tile(u8x16, 16)

Function = Callable[[int, int, int, int], None]


class Encoder:
    """How a type's blocks are made.

    A device function takes addresses: of a block's columns (a vector each), of their importance (a
    float each), of the block's bytes (16 each, to be written), and of `n_scratch` vectors. `plain`
    is not given any importance; without `weighted` it makes no difference.
    """

    def __init__(
        self, type: GGMLType, plain: Function, weighted: Function | None = None, n_scratch: int = 0
    ) -> None:
        self.type, self.n_scratch = type, n_scratch
        self._plain = encode_kernel(type, plain, "")
        self._weighted = encode_kernel(type, weighted, "_weighted") if weighted else self._plain

    def encode(self, rows: Floats, importance: Floats | None, n_threads: int) -> Bytes:
        """Encode whole blocks. Shapes: [n_rows, n_columns] to [n_rows, row bytes]."""
        if len(rows) < N_ROWS:
            more = np.concatenate([rows, np.repeat(rows[-1:], N_ROWS - len(rows), axis=0)])
            return self.encode(more, importance, n_threads)[: len(rows)]
        n_blocks = rows.shape[1] // self.type.n_columns
        made = np.empty((len(rows), n_blocks * self.type.n_bytes), np.uint8)
        used = self._plain if importance is None else self._weighted
        scratch = [aligned(self._scratch_bytes, np.uint8) for _ in range(n_threads)]
        largest = np.zeros(n_threads, np.float32)
        operands = {
            "rows": address(rows), "made": address(made), "n_rows": len(rows), "n_blocks": n_blocks,
            "importance": 0 if importance is None else address(importance),
            "largest": address(largest),
        }  # fmt: skip
        run_parallel([
            Call(used, i, n_threads, scratch=address(own), **operands)
            for i, own in enumerate(scratch)
        ])  # fmt: skip
        expect_below(LIMIT, self.type, largest, rows)
        return made

    @property
    def _scratch_bytes(self) -> int:
        return VECTOR * (self.type.n_columns + self.n_scratch) + N_ROWS * self.type.n_bytes


@device
def columns_of(at, stride, n, to):  # type: ignore[no-untyped-def]
    """Write n columns of 16 rows, `stride` bytes apart, as a vector each."""
    for j in range(0, n, 16):
        store_each(to + 64 * j, 64, transpose(load_each(_SQUARE, at + 4 * j, stride)))


@device
def bytes_to(blocks, n, at, stride):  # type: ignore[no-untyped-def]
    """Write n bytes, at least 16, of 16 blocks side by side to rows `stride` bytes apart."""
    for j in range(0, n, 16):
        k = min(j, n - 16)
        store_each(at + k, stride, transpose(load_each(_BYTES, blocks + 16 * k, 16)))


def encode_kernel(type: GGMLType, function: Function, kind: str) -> Kernel:
    """Make the kernel of a type; its name tells versions of the sources here apart."""
    n_columns, n_bytes = type.n_columns, type.n_bytes

    def encode(
        rows: int,
        importance: int,
        made: int,
        n_rows: int,
        n_blocks: int,
        scratch: int,
        largest: int,
        thread: int,
        n_threads: int,
    ) -> None:
        blocks = scratch + 64 * n_columns
        more = blocks + 16 * n_bytes
        row, made_row = 4 * n_columns * n_blocks, n_bytes * n_blocks
        first, last = share((n_rows + 15) // 16 * n_blocks, thread, n_threads)
        size = zeros(f32x16)
        for i in range(first, last):
            group, block = i // n_blocks, i % n_blocks
            r = min(16 * group, n_rows - 16)  # the last rows may be made twice, alike
            columns_of(rows + r * row + 4 * n_columns * block, row, n_columns, scratch)
            for j in range(n_columns):
                size = maximum(absolute(load(f32x16, scratch + 64 * j)), size)
            function(scratch, importance + 4 * n_columns * block, blocks, more)
            bytes_to(blocks, n_bytes, made + r * made_row + n_bytes * block, made_row)
        store(largest + 4 * thread, max_all(size))

    return kernel(encode, f"encode_{type.name.lower()}{kind}_{fingerprint()}")


def expect_below(limit: float, type: GGMLType, largest: Floats, rows: Floats) -> None:
    """Raise ValueError for a row with a value of `limit` or more; `largest` tells if there is."""
    if largest.max() >= limit:
        raise too_large(type, int(np.argmax(np.abs(rows).max(axis=1) >= limit)))


def too_large(type: GGMLType, row: int) -> ValueError:
    """Return the error for a value that a type cannot hold."""
    return ValueError(f"row {row} has a value too large for {type.name}")


@cache
def fingerprint() -> str:
    """Hash the sources of this package: the cache of kernels knows only the engine's."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
