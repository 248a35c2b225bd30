"""Tensors in lanes: packed once at load, or left in the mapped file and packed as they are used."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ...formats import N_ROWS, Format, find
from ...gguf import Tensor
from ...gguf.pages import drop_pages
from ...graph import Embed, ExpertLinear, HeadLinear, Linear, Op
from ...kernels.pack import pack
from .. import Packing
from .budget import available_bytes
from .memory import ALIGNMENT, Arena, address, aligned
from .threads import Call, run_parallel

Progress = Callable[[int, int], None]
SLICE = 8 << 20  # bytes packed at a time

Matrices = Embed | Linear | ExpertLinear | HeadLinear

log = logging.getLogger("ggjit")


def matrices_of(ops: list[Op]) -> list[Tensor]:
    """Return the matrices that operations multiply by or look up in, each once."""
    used = [op.weight for op in ops if isinstance(op, Matrices)]
    return list({t.name: t for t in used}.values())


def packed_bytes(tensor: Tensor) -> int:
    """Bytes of a matrix in lanes, the last group of rows filled up; of a stack, of all of them."""
    fmt, (n_rows, n_columns) = find(tensor), tensor.shape[-2:]
    n_bytes = -(-n_rows // N_ROWS) * N_ROWS * n_columns // fmt.n_columns * fmt.packed_bytes
    return n_bytes * n_matrices(tensor)


def n_matrices(tensor: Tensor) -> int:
    """Return how many matrices are stacked; 1 if it is one matrix."""
    return math.prod(tensor.shape[:-2])


def to_pack(matrices: list[Tensor], packing: Packing, beside: int) -> list[Tensor]:
    """Return the matrices to pack: all if they fit (`beside` so many other bytes), or as told.

    Where not all fit, experts stay in the file first: a token reads only a few of them. What is not
    computed with as it is has to be packed in any case. Raises: ValueError.
    """
    if packing not in get_args(Packing):
        raise ValueError(f"pack is {packing!r}, expected {', '.join(get_args(Packing))}")
    left, dense = available_bytes(), [t for t in matrices if n_matrices(t) == 1]
    nothing: list[Tensor] = []
    choices = {"always": [matrices], "never": [nothing], "experts-mmap": [dense]}
    for chosen in choices.get(packing, [matrices, dense, nothing]):
        wanted = sum(map(packed_bytes, chosen)) + beside
        if packing != "auto" or left is None or not chosen or wanted <= left:
            break
        text = "packed weights need %d MB and %d MB are left: %s"
        log.warning(text, wanted >> 20, left >> 20, "some are used from the file, which is slower")
    names = {t.name for t in chosen}
    return [t for t in matrices if t.name in names or find(t).relay]


class PackedWeights:
    """Every matrix of a model in lanes, every vector as float32 padded to 16."""

    def __init__(
        self, matrices: list[Tensor], n_threads: int, progress: Progress | None = None,
        packing: Packing = "always", beside: int = 0,
    ) -> None:  # fmt: skip
        """Pack matrices; `progress(done, total)` counts bytes. Raises: ValueError for a bad one."""
        self._n_threads = n_threads
        self._matrices = {t.name: t for t in matrices}
        self._packed: dict[str, npt.NDArray[Any]] = {}
        self._fields: dict[str, npt.NDArray[np.int64]] = {}
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}
        self._pack_all(to_pack(matrices, packing, beside), progress)

    def is_mapped(self, tensor: Tensor) -> bool:
        """Tell whether a matrix is left in the file."""
        return tensor.name not in self._packed

    def matrix(self, tensor: Tensor) -> npt.NDArray[Any]:
        """Return a matrix in lanes, or as it is in the file."""
        return self._packed.get(tensor.name, tensor.data)

    def operands(self, tensor: Tensor) -> dict[str, float]:
        """Return where a matrix is, and how it is packed if it is not."""
        fields = self._fields_of(find(tensor))
        return {
            "weights": address(self.matrix(tensor)),
            "n_rows": tensor.shape[-2], "n_columns": tensor.shape[-1],
            "fields": address(fields), "n_fields": len(fields),
        }  # fmt: skip

    def strides(self, tensor: Tensor) -> dict[str, float]:
        """Return the bytes from one stacked matrix to the next, and from 16 rows to the next."""
        fmt, n_columns = find(tensor), tensor.shape[-1]
        n_bytes = fmt.n_bytes if self.is_mapped(tensor) else fmt.packed_bytes
        return {
            "stack_step": self.n_bytes(tensor) // n_matrices(tensor),
            "group_bytes": N_ROWS * n_columns // fmt.n_columns * n_bytes,
        }

    def vector(self, tensor: Tensor) -> npt.NDArray[np.float32]:
        """Return a vector, or rows of them, as float32, each with zeros up to a multiple of 16."""
        if tensor.name not in self._vectors:
            n = tensor.shape[-1]
            n_rows, padded = tensor.n_elements // n, (n + 15) // 16 * 16
            values = aligned(n_rows * padded, np.float32)
            rows = find(tensor).decode_rows(tensor.data.reshape(-1), n)
            values.reshape(n_rows, padded)[:, :n] = rows
            if not np.isfinite(values).all():
                raise damaged(tensor)
            self._vectors[tensor.name] = values
        return self._vectors[tensor.name]

    def n_bytes(self, tensor: Tensor) -> int:
        """Bytes of a matrix, as they are read when it is used."""
        return tensor.data.nbytes if self.is_mapped(tensor) else packed_bytes(tensor)

    def _pack_all(self, matrices: list[Tensor], progress: Progress | None) -> None:
        report = progress or (lambda done, total: None)
        arena = Arena(sum(packed_bytes(t) + ALIGNMENT for t in matrices))
        everything, chosen = self._matrices.values(), {t.name for t in matrices}
        total, done = sum(t.data.nbytes for t in everything), 0
        for tensor in everything:
            report(done, total)
            if tensor.name in chosen:
                self._packed[tensor.name] = arena.take(packed_bytes(tensor))
                self._pack(tensor)
            elif n_matrices(tensor) == 1:  # reading all experts is what is to be avoided
                expect_finite(tensor)
            done += tensor.data.nbytes
        report(done, total)
        _tell_relaid(matrices)

    def _pack(self, tensor: Tensor) -> None:
        """Pack a matrix, or each of a stack."""
        source = tensor.data.reshape(n_matrices(tensor), -1)
        packed = self._packed[tensor.name].reshape(len(source), -1)
        for i in range(len(source)):
            self._pack_matrix(tensor, source[i], packed[i])

    def _pack_matrix(
        self, tensor: Tensor, data: npt.NDArray[Any], packed: npt.NDArray[Any]
    ) -> None:
        """Pack a matrix slice by slice, giving back the file's pages behind it."""
        fmt = find(tensor)
        n_blocks = tensor.shape[-1] // fmt.n_columns
        source = data.reshape(-1, fmt.n_bytes)
        step = max(1, SLICE // (N_ROWS * n_blocks * fmt.n_bytes)) * N_ROWS * n_blocks
        for start in range(0, len(source), step):
            blocks = source[start : start + step]
            if not fmt.finite(blocks):
                raise damaged(tensor)
            self._pack_slice(blocks, packed[start * fmt.packed_bytes :], fmt, n_blocks)
            drop_pages(blocks)
        drop_pages(source)

    def _pack_slice(
        self, blocks: npt.NDArray[Any], packed: npt.NDArray[Any], fmt: Format, n_blocks: int
    ) -> None:
        source, n_rows, n_bytes = blocks, len(blocks) // n_blocks, fmt.packed_bytes
        if fmt.relay:
            source = fmt.relay(blocks)
        fields = self._fields_of(fmt)
        if len(fields) == 1:  # blocks of one field after the other are as one block
            fields = fields * np.array([1, 1, n_blocks, 1])
            n_blocks, n_bytes = 1, n_bytes * n_blocks
        operands = {
            "source": address(source), "packed": address(packed), "fields": address(fields),
            "n_fields": len(fields), "n_rows": n_rows, "n_blocks": n_blocks, "block_bytes": n_bytes,
        }  # fmt: skip
        n = self._n_threads
        run_parallel([Call(pack, i, n, **operands) for i in range(n)])

    def _fields_of(self, fmt: Format) -> npt.NDArray[np.int64]:
        """Return a format's fields as kernels read them."""
        if fmt.name not in self._fields:
            rows = [(f.offset, f.size, f.count, f.flip) for f in fmt.lanes.fields]
            self._fields[fmt.name] = np.array(rows, np.int64)
        return self._fields[fmt.name]


def expect_finite(tensor: Tensor) -> None:
    """Raise ValueError if a matrix that stays in the file has a scale that is none."""
    fmt = find(tensor)
    source = tensor.data.reshape(-1, fmt.n_bytes)
    step = max(1, SLICE // fmt.n_bytes)
    for start in range(0, len(source), step):
        if not fmt.finite(source[start : start + step]):
            raise damaged(tensor)
        drop_pages(source[start : start + step])


def damaged(tensor: Tensor) -> ValueError:
    """Return the error for a tensor with numbers that are none."""
    return ValueError(f"{tensor.path}: tensor {tensor.name!r} has a scale that is NaN or infinite")


def _tell_relaid(matrices: list[Tensor]) -> None:
    """Note in the log what types that are relaid cost."""
    for fmt in {find(t) for t in matrices if find(t).relay}:
        of = [t for t in matrices if find(t) is fmt]
        before, after = sum(t.data.nbytes for t in of), sum(map(packed_bytes, of))
        log.info("%s: %d MB of weights take %d MB", fmt.type.name, before >> 20, after >> 20)
