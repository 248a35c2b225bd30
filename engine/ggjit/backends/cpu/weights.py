"""Tensors in lanes: packed once at load, a tensor that is used twice only once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...formats import N_ROWS, Format, find
from ...gguf import Tensor
from ...graph import Embed, Linear, Op
from ...kernels.pack import pack
from .memory import ALIGNMENT, Arena, address, aligned, drop_pages
from .threads import Call, run_parallel

Progress = Callable[[int, int], None]
SLICE = 8 << 20  # bytes packed at a time


def matrices_of(ops: list[Op]) -> list[Tensor]:
    """Return the matrices that operations multiply by or look up in, each once."""
    used = [op.weight for op in ops if isinstance(op, Embed | Linear)]
    return list({t.name: t for t in used}.values())


def packed_bytes(tensor: Tensor) -> int:
    """Bytes of a matrix in lanes: its own, the last group of rows filled up."""
    n_rows = (tensor.shape[0] + N_ROWS - 1) // N_ROWS * N_ROWS
    return n_rows * (tensor.data.nbytes // tensor.shape[0])


class PackedWeights:
    """Every matrix of a model in lanes, every vector as float32 padded to 16."""

    def __init__(
        self, matrices: list[Tensor], n_threads: int, progress: Progress | None = None
    ) -> None:
        """Pack matrices; `progress(done, total)` counts bytes."""
        self._n_threads = n_threads
        self._packed: dict[str, npt.NDArray[Any]] = {}
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}
        arena = Arena(sum(packed_bytes(t) + ALIGNMENT for t in matrices))
        total, done = sum(t.data.nbytes for t in matrices), 0
        for tensor in matrices:
            if progress:
                progress(done, total)
            self._packed[tensor.name] = arena.take(packed_bytes(tensor))
            self._pack(tensor)
            done += tensor.data.nbytes
        if progress:
            progress(total, total)

    def matrix(self, tensor: Tensor) -> npt.NDArray[Any]:
        """Return a matrix in lanes."""
        return self._packed[tensor.name]

    def vector(self, tensor: Tensor) -> npt.NDArray[np.float32]:
        """Return a vector as float32, zeros behind it up to a multiple of 16."""
        if tensor.name not in self._vectors:
            n = tensor.shape[0]
            values = aligned((n + 15) // 16 * 16, np.float32)
            values[:n] = find(tensor).decode_rows(tensor.data.reshape(-1), n)[0]
            self._vectors[tensor.name] = values
        return self._vectors[tensor.name]

    @property
    def n_bytes(self) -> int:
        """Bytes of all packed matrices."""
        return sum(p.nbytes for p in self._packed.values())

    def _pack(self, tensor: Tensor) -> None:
        """Pack a matrix slice by slice, giving back the file's pages behind it."""
        fmt, packed = find(tensor), self._packed[tensor.name]
        n_blocks = tensor.shape[1] // fmt.n_columns
        group_bytes = N_ROWS * n_blocks * fmt.n_bytes
        source = tensor.data.reshape(-1)
        step = max(1, SLICE // group_bytes) * group_bytes
        for start in range(0, len(source), step):
            self._pack_slice(source[start : start + step], packed[start:], fmt, n_blocks)
            drop_pages(source[start : start + step])
        drop_pages(source)

    def _pack_slice(
        self, source: npt.NDArray[Any], packed: npt.NDArray[Any], fmt: Format, n_blocks: int
    ) -> None:
        fields = np.array([(f.offset, f.size, f.count, f.flip) for f in fmt.lanes.fields], np.int64)
        operands = {
            "source": address(source), "packed": address(packed), "fields": address(fields),
            "n_fields": len(fields), "n_rows": len(source) // (n_blocks * fmt.n_bytes),
            "n_blocks": n_blocks, "block_bytes": fmt.n_bytes,
        }  # fmt: skip
        n = self._n_threads
        run_parallel([Call(pack, i, n, **operands) for i in range(n)])
